"""Encodes frames to the H.264 that plays back from Kinesis Video Streams."""

from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from . import h264
from .mkv import Track

MS = Fraction(1, 1000)
# zerolatency: one frame in, one frame out. One thread does, and costs least in all.
OPTIONS = {
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "main",
    "crf": "23",
    "maxrate": "4M",
    "bufsize": "4M",
    "forced-idr": "1",
    "x264-params": "scenecut=0:bframes=0:threads=1",
}
# Key frames come when they are asked for, never by themselves.
NO_OWN_KEY_FRAMES = 1_000_000


class Encoder:
    """Makes one H.264 frame out of each frame, at once."""

    def __init__(self, width: int, height: int, frame_rate: float) -> None:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base = MS
        codec.framerate = Fraction(frame_rate).limit_denominator(1001)
        codec.gop_size = NO_OWN_KEY_FRAMES
        codec.options = OPTIONS
        # Parameter sets go into the track's header, not before each key frame.
        codec.flags |= int(Flags.global_header)
        codec.open()
        self._codec = codec
        self.track = Track(width, height, h264.codec_private(codec.extradata or b""))

    def encode(self, frame: av.VideoFrame, at_ms: int, *, is_key: bool) -> bytes:
        """Encode one frame that has the track's size; `at_ms` only ever grows."""
        frame.pts, frame.time_base = at_ms, MS
        # What the film's own encoder made of this frame must not count.
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        return b"".join(h264.frame(bytes(packet)) for packet in self._codec.encode(frame))
