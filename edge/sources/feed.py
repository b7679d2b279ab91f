"""A live source read by a thread of its own: whoever waits for it can give up."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
from av.video.stream import VideoStream

from ..errors import SourceLostError
from .source import STOP_POLL_S

# A reader that is so far ahead waits; that much video would be seconds old.
AHEAD = 256


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet, and when it arrived, in seconds since 1970."""

    packet: "av.Packet[VideoStream]"
    at: float


class Feed:
    """Hands over what a blocking iterator gives, as long as that goes on.

    The thread alone touches what it reads from, and lets go of it with `close` when it
    comes back from reading: nothing may be closed under a library that is using it.
    """

    def __init__(
        self,
        packets: "Iterator[av.Packet[VideoStream]]",
        close: Callable[[], None],
        stall_s: float,
    ) -> None:
        self._packets = packets
        self._close = close
        self._stall_s = stall_s
        self._queue: queue.Queue[Arrived | Exception | None] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, name="source", daemon=True)
        self._thread.start()

    @property
    def has_more(self) -> bool:
        """Say whether something has arrived that was not given yet."""
        return not self._queue.empty()

    def arrivals(self, stop: threading.Event) -> Iterator[Arrived]:
        """Give what arrives; end with the source, or when it rests and should stop.

        Raises what the reader raised, and SourceLostError when nothing comes any more.
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
        """Tell the thread to end; it may still be reading for a while."""
        self._closed.set()
        self._thread.join(wait_s)

    def _read(self) -> None:
        end: Exception | None = None
        try:
            for packet in self._packets:
                self._hand_over(Arrived(packet, time.time()))
                if self._closed.is_set():
                    break
        except Exception as exc:
            # Raised anew in the thread that can tell of it.
            end = exc
        finally:
            self._close()
            self._hand_over(end)

    def _hand_over(self, found: Arrived | Exception | None) -> None:
        while not self._closed.is_set():
            try:
                return self._queue.put(found, timeout=STOP_POLL_S)
            except queue.Full:
                continue
        return None
