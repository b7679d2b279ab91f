"""Live sources that FFmpeg reads: network cameras and devices."""

import threading
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ..errors import SourceError, SourceLostError
from ..media.codec import CODECS
from ..media.timeline import LiveTimeline, PacketTimestamps
from .packet_reader import PacketReader
from .samples import CodedPacket
from .source import STALL_S, Source

DEFAULT_RATE = 25.0
LONGEST_BURST = 100


class LiveSource(Source):
    """An opened live input, which never ends by itself.

    `shown` is its name in messages. The packets' own timestamps are used as long as they agree with
    the wall clock.
    """

    def __init__(
        self,
        container: InputContainer,
        shown: str,
        stop: threading.Event,
        stall_s: float = STALL_S,
    ) -> None:
        """Start to read; raises SourceError if the input has no video."""
        self.name = shown
        self.timeline: LiveTimeline = LiveTimeline()
        self._stop = stop
        self._container = container
        if not container.streams.video:
            container.close()
            raise SourceError(f"{shown} gives no video.")
        stream = container.streams.video[0]
        self.decoder = stream.codec_context
        self.extradata = self.decoder.extradata or b""
        self.can_pass_through = self.decoder.name in CODECS
        self.rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
        self._reader = PacketReader(self._packets(container, stream), container.close, stall_s)

    def close(self) -> None:
        """Stop reading; the input is closed when its last read returns."""
        self._reader.close()

    def samples(self) -> Iterator[CodedPacket]:
        """Return each packet as it arrives; can be called once."""
        burst: list[CodedPacket] = []
        try:
            yield from self._dated(burst)
        except SourceLostError as lost:
            yield from burst
            raise SourceLostError(f"{self.name}: {lost}") from None
        yield from burst
        if not self._stop.is_set():
            raise SourceLostError(f"{self.name} has ended.")

    def _dated(self, burst: list[CodedPacket]) -> Iterator[CodedPacket]:
        # Packets that arrived while the input was opened are read in one burst. The last of them
        # waited least, so its arrival dates them all.
        times = PacketTimestamps(self.rate)
        for received in self._reader.packets(self._stop):
            packet = received.packet
            raw = None if packet.pts is None else float(packet.pts * packet.time_base)
            seconds = times.next_seconds(raw)
            if packet.pts is None:  # as of the first frame over RTSP
                packet.pts = round(seconds / packet.time_base)
            self.timeline.on_arrival(seconds, received.at)
            burst.append(CodedPacket(packet, seconds))
            if not self._reader.has_waiting or len(burst) >= LONGEST_BURST:
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
                # A damaged packet; the next one is good.
                continue
            except StopIteration:
                return
            except FFmpegError as exc:
                raise SourceLostError(f"{exc.strerror}.") from None
            if packet.size:
                yield packet
