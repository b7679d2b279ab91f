"""Encodes frames to the H.264 that plays back from Kinesis Video Streams."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from ..fragments import EncodedFrame
from ..media import h264, h264_sps
from ..media.mkv import Track
from ..media.timeline import MS

HARDWARE, SOFTWARE = "h264_v4l2m2m", "libx264"
# zerolatency: one frame in, one frame out. One thread does, and costs least in all.
SOFTWARE_OPTIONS = {
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "main",
    "crf": "23",
    "forced-idr": "1",
    "x264-params": "scenecut=0:bframes=0:threads=1",
}
# Key frames come when they are asked for, never by themselves.
NO_OWN_KEY_FRAMES = 1_000_000
# What a hardware encoder, which knows no constant quality, is given for each pixel.
BITS_PER_PIXEL = 0.15
PROBED_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Video:
    """What an encoder is to make: size in pixels, frames and bits a second."""

    width: int
    height: int
    rate: float
    bitrate_kbit: int = 4000


class Encoder:
    """Makes H.264 frames out of pictures of one size, at once or a few frames later."""

    def __init__(self, video: Video, codec: str = SOFTWARE) -> None:
        self.video = video
        self._codec = _open(video, codec)
        self._track: Track | None = None
        if self._codec.extradata:
            self._track = self._track_of(h264.units(self._codec.extradata))

    def encode(
        self, image: av.VideoFrame, at_ms: int, *, is_key: bool
    ) -> list[tuple[EncodedFrame, Track]]:
        """Encode a picture that has the video's size; `at_ms` only ever grows."""
        image.pts, image.time_base = at_ms, MS
        # What the source's own encoder made of this frame must not count.
        image.pict_type = PictureType.I if is_key else PictureType.NONE
        return list(self._finished(image))

    def rest(self) -> list[tuple[EncodedFrame, Track]]:
        """Give the frames that are still being encoded; the encoder is spent then."""
        return list(self._finished(None))

    def _finished(self, image: av.VideoFrame | None) -> Iterator[tuple[EncodedFrame, Track]]:
        for packet in self._codec.encode(image):
            units = h264.units(bytes(packet))
            if any(h264.kind(unit) == h264.SEQUENCE_PARAMETERS for unit in units):
                self._track = self._track_of(units)
            assert self._track is not None, "a frame before its parameter sets"
            assert packet.pts is not None, "a frame without the time it was given"
            is_key = any(h264.is_key(unit) for unit in units)
            yield EncodedFrame(packet.pts, is_key, h264.without_parameters(units)), self._track

    def _track_of(self, units: list[bytes]) -> Track:
        return Track(self.video.width, self.video.height, h264.codec_private(units))


def best_encoder(video: Video) -> Encoder:
    """Open the hardware's encoder where one works, else the software's."""
    return Encoder(video, HARDWARE if works(HARDWARE, video) else SOFTWARE)


@cache
def works(codec: str, video: Video) -> bool:
    """Say whether an encoder really makes a key frame of that size out of black pictures."""
    try:
        encoder = Encoder(video, codec)
        for number in range(PROBED_FRAMES):
            black = av.VideoFrame(video.width, video.height, "yuv420p")
            done = encoder.encode(black, number * 100, is_key=number == 0)
            if done:
                return _can_be_sent(*done[0], video)
        return any(_can_be_sent(*done, video) for done in encoder.rest()[:1])
    except (FFmpegError, ValueError, AssertionError, StopIteration):
        return False


def _can_be_sent(frame: EncodedFrame, track: Track, video: Video) -> bool:
    sequence = h264_sps.read(h264.parameters_of(track.codec_private)[0])
    size = (sequence.width, sequence.height)
    return frame.is_key and not sequence.reorder and size == (video.width, video.height)


def _open(video: Video, name: str) -> VideoCodecContext:
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = video.width, video.height, "yuv420p"
    codec.time_base = MS
    codec.framerate = Fraction(video.rate).limit_denominator(1001)
    codec.gop_size = NO_OWN_KEY_FRAMES
    most = video.bitrate_kbit * 1000
    if name == SOFTWARE:
        codec.options = SOFTWARE_OPTIONS | {"maxrate": str(most), "bufsize": str(most)}
        # Parameter sets go into the track's header, not before each key frame.
        codec.flags |= int(Flags.global_header)
    else:
        codec.max_b_frames = 0
        codec.bit_rate = min(most, round(video.width * video.height * video.rate * BITS_PER_PIXEL))
    codec.open()
    return codec
