"""Decodes packets of any codec into frames."""

from collections.abc import Iterator

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from .samples import CodedPacket, DecodedFrame

# A decoder holds back fewer frames than this; older times belong to frames that were damaged.
MOST_HELD = 128
# The least step from one frame to the next, where a source repeats or reverses its times.
LEAST_STEP_S = 0.001


class PacketDecoder:
    """Decodes one stream from a key frame on; each frame has the time of its packet.

    Where packets have no presentation time, a frame has the time of the packet that completes it,
    less the decoder's delay.
    """

    def __init__(self, decoder: VideoCodecContext, rate: float) -> None:
        """Use an opened decoder; `rate` is in frames a second."""
        self._decoder = decoder
        self._step = 1 / rate
        self._seconds: dict[int, float] = {}
        self._first: float | None = None
        self._newest = 0.0
        self._last: float | None = None
        self._delay_s = 0.0

    def push(self, sample: CodedPacket) -> Iterator[DecodedFrame]:
        """Decode a packet; return the frames that are ready."""
        self._newest = sample.seconds
        if self._first is None:
            self._first = sample.seconds
        if sample.packet.pts is not None:
            self._seconds[sample.packet.pts] = sample.seconds
        if len(self._seconds) > MOST_HELD:
            del self._seconds[next(iter(self._seconds))]
        return self._pictures(sample.packet)

    def flush(self) -> Iterator[DecodedFrame]:
        """Return the frames that the decoder still holds at the end of the stream."""
        if self._last is not None:
            self._newest = self._last + self._step + self._delay_s
        return self._pictures(None)

    def _pictures(self, packet: "av.Packet[av.VideoStream] | None") -> Iterator[DecodedFrame]:
        if self._first is None:
            return
        try:
            images = self._decoder.decode(packet)
        except FFmpegError:
            # A damaged frame; the decoder recovers at the next key frame.
            return
        if images and self._last is None:
            self._delay_s = self._newest - self._first
        for image in images:
            yield DecodedFrame(image, self._next_seconds(image.pts))
            self._newest += self._step

    def _next_seconds(self, pts: int | None) -> float:
        seconds = self._newest - self._delay_s
        if pts is not None:
            seconds = self._seconds.pop(pts, seconds)
        if self._last is not None:
            seconds = max(seconds, self._last + LEAST_STEP_S)
        self._last = seconds
        return seconds
