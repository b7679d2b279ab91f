"""A thread that reads a live source, so that its consumer can time out."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
from av.video.stream import VideoStream

from ..errors import SourceLostError
from .source import STOP_POLL_S

# More packets in the queue would be video that is seconds old.
QUEUE_PACKETS = 256


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """A packet and its arrival time, in seconds since 1970."""

    packet: "av.Packet[VideoStream]"
    at: float


class PacketReader:
    """Reads a blocking iterator in a thread and queues its packets.

    Only that thread uses the underlying input, and closes it with `close` after its last read: an
    input must not be closed while a library reads from it.
    """

    def __init__(
        self,
        packets: "Iterator[av.Packet[VideoStream]]",
        close: Callable[[], None],
        stall_s: float,
    ) -> None:
        """Start the thread; a source that is silent for `stall_s` is lost."""
        self._packets = packets
        self._close = close
        self._stall_s = stall_s
        self._queue: queue.Queue[ReceivedPacket | Exception | None] = queue.Queue(QUEUE_PACKETS)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="source", daemon=True)
        self._thread.start()

    @property
    def has_waiting(self) -> bool:
        """Return whether a packet waits in the queue."""
        return not self._queue.empty()

    def packets(self, stop: threading.Event) -> Iterator[ReceivedPacket]:
        """Return packets as they arrive, until the source ends or is silent while `stop` is set.

        Raises what the reading thread raised, and SourceLostError if no packet comes any more.
        """
        last = time.monotonic()
        while True:
            try:
                found = self._queue.get(timeout=STOP_POLL_S)
            except queue.Empty:
                if stop.is_set():
                    return
                if time.monotonic() - last > self._stall_s:
                    raise SourceLostError(f"It gave no frame for {self._stall_s:.0f} s.") from None
                continue
            last = time.monotonic()
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            yield found

    def close(self, wait_s: float = STOP_POLL_S) -> None:
        """Tell the thread to end; it may go on reading for a while."""
        self._closed.set()
        self._thread.join(wait_s)

    def _read(self) -> None:
        end: Exception | None = None
        try:
            for packet in self._packets:
                self._enqueue(ReceivedPacket(packet, time.time()))
                if self._closed.is_set():
                    break
        except Exception as exc:
            # Raised again in the consumer's thread.
            end = exc
        finally:
            self._close()
            self._enqueue(end)

    def _enqueue(self, found: ReceivedPacket | Exception | None) -> None:
        while not self._closed.is_set():
            try:
                return self._queue.put(found, timeout=STOP_POLL_S)
            except queue.Full:
                continue
        return None
