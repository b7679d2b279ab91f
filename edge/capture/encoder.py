"""The H.264 encoder: hardware where it works, else libx264, set for Kinesis Video Streams."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from ..media import h264, h264_sps
from ..media.mkv import EncodedFrame, VideoTrack
from ..media.timeline import MS

HARDWARE, SOFTWARE = "h264_v4l2m2m", "libx264"
# zerolatency: one frame in, one frame out. One thread is enough and costs the least CPU.
SOFTWARE_OPTIONS = {
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "main",
    "crf": "23",
    "forced-idr": "1",
    "x264-params": "scenecut=0:bframes=0:threads=1",
}
# Key frames are requested one by one; the encoder never inserts its own.
NO_OWN_KEY_FRAMES = 1_000_000
# The bit rate of a hardware encoder, which has no constant quality mode.
BITS_PER_PIXEL = 0.15
PROBED_FRAMES = 8


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """The format to encode: size in pixels, frames a second, kilobits a second."""

    width: int
    height: int
    rate: float
    bitrate_kbit: int = 4000


class Encoder:
    """Encodes frames of one size to H.264; a hardware encoder returns them a few frames later."""

    def __init__(self, video: VideoFormat, codec: str = SOFTWARE) -> None:
        """Open FFmpeg's encoder of that name; raises FFmpegError where it does not work."""
        self.video = video
        self._codec = _open(video, codec)
        self._track: VideoTrack | None = None
        if self._codec.extradata:
            self._track = self._track_of(h264.split_annex_b(self._codec.extradata))

    def encode(
        self, image: av.VideoFrame, at_ms: int, *, is_key: bool
    ) -> list[tuple[EncodedFrame, VideoTrack]]:
        """Encode a frame of the format's size, and return the frames that are ready.

        `at_ms` must grow from call to call. Each encoded frame comes with the track it belongs to.
        """
        image.pts, image.time_base = at_ms, MS
        # Ignore the frame type that the source's own encoder chose.
        image.pict_type = PictureType.I if is_key else PictureType.NONE
        return list(self._finished(image))

    def flush(self) -> list[tuple[EncodedFrame, VideoTrack]]:
        """Return the frames that the encoder still holds; it cannot be used afterwards."""
        return list(self._finished(None))

    def _finished(self, image: av.VideoFrame | None) -> Iterator[tuple[EncodedFrame, VideoTrack]]:
        for packet in self._codec.encode(image):
            units = h264.split_annex_b(bytes(packet))
            if any(h264.nal_type(unit) == h264.SPS for unit in units):
                self._track = self._track_of(units)
            assert self._track is not None, "a frame before its parameter sets"
            assert packet.pts is not None, "a frame without the time it was given"
            is_key = any(h264.is_idr(unit) for unit in units)
            yield EncodedFrame(packet.pts, is_key, h264.avcc_frame(units)), self._track

    def _track_of(self, units: list[bytes]) -> VideoTrack:
        return VideoTrack(self.video.width, self.video.height, h264.codec_private(units))


def open_best_encoder(video: VideoFormat) -> Encoder:
    """Open the hardware encoder if it works for this format, else the software encoder."""
    return Encoder(video, HARDWARE if encoder_works(HARDWARE, video) else SOFTWARE)


@cache
def encoder_works(codec: str, video: VideoFormat) -> bool:
    """Return whether an encoder really makes a usable key frame of that size from black frames."""
    try:
        encoder = Encoder(video, codec)
        for number in range(PROBED_FRAMES):
            black = av.VideoFrame(video.width, video.height, "yuv420p")
            done = encoder.encode(black, number * 100, is_key=number == 0)
            if done:
                return _can_be_sent(*done[0], video)
        return any(_can_be_sent(*done, video) for done in encoder.flush()[:1])
    except (FFmpegError, ValueError, AssertionError, StopIteration):
        return False


def _can_be_sent(frame: EncodedFrame, track: VideoTrack, video: VideoFormat) -> bool:
    sequence = h264_sps.parse_sps(h264.parameter_sets(track.codec_private)[0])
    size = (sequence.width, sequence.height)
    return frame.is_key and not sequence.reorder_frames and size == (video.width, video.height)


def _open(video: VideoFormat, name: str) -> VideoCodecContext:
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = video.width, video.height, "yuv420p"
    codec.time_base = MS
    codec.framerate = Fraction(video.rate).limit_denominator(1001)
    codec.gop_size = NO_OWN_KEY_FRAMES
    most = video.bitrate_kbit * 1000
    if name == SOFTWARE:
        codec.options = SOFTWARE_OPTIONS | {"maxrate": str(most), "bufsize": str(most)}
        # Put parameter sets into the track header, not before each key frame.
        codec.flags |= int(Flags.global_header)
    else:
        codec.max_b_frames = 0
        codec.bit_rate = min(most, round(video.width * video.height * video.rate * BITS_PER_PIXEL))
    codec.open()
    return codec
