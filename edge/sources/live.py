"""What FFmpeg reads live: a network camera, a device."""

import threading
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..errors import SourceError, SourceLostError
from ..media.timeline import LiveTime, MendedTimes
from .feed import Feed
from .samples import Coded
from .source import STALL_S, Source

DEFAULT_RATE = 25.0
LONGEST_BURST = 100


class LiveInput(Source):
    """An opened input that never ends by itself.

    `shown` names it to people. Each packet is dated by its own time as long as that fits
    the wall clock.
    """

    def __init__(
        self,
        container: InputContainer,
        shown: str,
        stop: threading.Event,
        stall_s: float = STALL_S,
    ) -> None:
        self.name = shown
        self.timeline: LiveTime = LiveTime()
        self._stop = stop
        self._container = container
        if not container.streams.video:
            container.close()
            raise SourceError(f"{shown} gives no video.")
        stream = container.streams.video[0]
        self.decoder = stream.codec_context
        self.extradata = self.decoder.extradata or b""
        self.is_passable = self.decoder.name == "h264"
        self.rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
        self._feed = Feed(self._packets(container, stream), container.close, stall_s)

    def close(self) -> None:
        """Let go of the input, at the latest when its time-out comes."""
        self._feed.close()

    def samples(self) -> Iterator[Coded]:
        """Give each packet as it arrives; once."""
        burst: list[Coded] = []
        try:
            yield from self._dated(burst)
        except SourceLostError as lost:
            yield from burst
            raise SourceLostError(f"{self.name}: {lost}") from None
        yield from burst
        if not self._stop.is_set():
            raise SourceLostError(f"{self.name} has ended.")

    def _dated(self, burst: list[Coded]) -> Iterator[Coded]:
        # What came while the input was being opened comes at once; the last of it, which
        # has waited least, tells when all of it was.
        times = MendedTimes(self.rate)
        for arrived in self._feed.arrivals(self._stop):
            packet = arrived.packet
            raw = None if packet.pts is None else float(packet.pts * packet.time_base)
            seconds = times.seconds(raw)
            self.timeline.arrived(seconds, arrived.at)
            burst.append(Coded(packet, seconds))
            if not self._feed.has_more or len(burst) >= LONGEST_BURST:
                yield from burst
                burst.clear()

    def _packets(
        self, container: InputContainer, stream: VideoStream
    ) -> "Iterator[av.Packet[VideoStream]]":
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except av.error.InvalidDataError:
                # A damaged piece; the next one is whole.
                continue
            except StopIteration:
                return
            except FFmpegError as exc:
                raise SourceLostError(f"{exc.strerror}.") from None
            if packet.size:
                yield packet
