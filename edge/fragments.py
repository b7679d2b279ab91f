"""The fragments on their way: kept until the service has stored them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

BUFFER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One frame as it is sent."""

    at_ms: int
    is_key: bool
    data: bytes


@dataclass(slots=True, eq=False)
class Fragment:
    """A key frame and what follows it up to the next."""

    timecode: int
    is_tagged: bool
    frames: list[EncodedFrame] = field(default_factory=list)
    size: int = 0
    is_complete: bool = False
    is_gone: bool = False
    sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the video so far."""

    frames: int = 0
    fragments: int = 0
    persisted: int = 0
    refused: int = 0
    dropped: int = 0

    @property
    def waiting(self) -> int:
        """Count the fragments nobody has decided on."""
        return self.fragments - self.persisted - self.refused - self.dropped


class FragmentBuffer:
    """Fragments in order of time, in bounded memory; the one thing all threads share.

    The source's thread adds, ack readers settle and refuse, the sender's thread
    reads. `lock` guards everything here and in the fragments; `version` grows with
    each change, so that a waiter can tell whether it missed one.
    """

    def __init__(self, limit_bytes: int = BUFFER_BYTES) -> None:
        self.lock = threading.Condition(threading.RLock())
        self.version = 0
        self.is_closed = False
        self._fragments: dict[int, Fragment] = {}
        self._current: Fragment | None = None
        self._counts = Counts()
        self._bytes = 0
        self._limit_bytes = limit_bytes

    @property
    def counts(self) -> Counts:
        """Say how much came in and what became of it."""
        return self._counts

    @property
    def is_done(self) -> bool:
        """Say whether nothing is left to send or to wait for."""
        with self.lock:
            return self.is_closed and not self._fragments

    def begin(self, timecode: int, *, is_tagged: bool) -> None:
        """Start the next fragment."""
        with self.lock:
            self.end()
            self._current = Fragment(timecode, is_tagged)
            self._fragments[timecode] = self._current
            self._count(fragments=1)

    def add(self, frame: EncodedFrame) -> None:
        """Add a frame to the fragment under way."""
        with self.lock:
            assert self._current is not None, "a frame before the first fragment"
            if not self._current.is_gone:
                self._current.frames.append(frame)
                self._current.size += len(frame.data)
                self._bytes += len(frame.data)
            self._count(frames=1)
            self._drop_beyond_limit()
            self.wake()

    def end(self) -> None:
        """Say that the fragment under way has all its frames."""
        with self.lock:
            if self._current is not None:
                self._current.is_complete = True
            self.wake()

    def close(self) -> None:
        """Say that no more fragments come."""
        with self.lock:
            self.end()
            self.is_closed = True
            self.wake()

    def settle(self, timecode: int | None) -> bool:
        """Let go of a fragment that is stored; say whether it was still here."""
        return self._remove(timecode, "persisted")

    def refuse(self, timecode: int | None) -> bool:
        """Let go of a fragment that the service will not take."""
        with self.lock:
            if timecode is None:
                timecode = next(iter(self._fragments), None)
            return self._remove(timecode, "refused")

    def after(self, timecode: int | None) -> Fragment | None:
        """Give the first fragment later than `timecode`."""
        with self.lock:
            later = (
                f for f in self._fragments.values() if timecode is None or f.timecode > timecode
            )
            return next(later, None)

    def forget_sent(self) -> None:
        """Start over: on a new connection nothing has been sent yet."""
        with self.lock:
            for fragment in self._fragments.values():
                fragment.sent_at = None

    def sent(self) -> list[Fragment]:
        """List the fragments that were sent whole and wait for their ack."""
        with self.lock:
            return [f for f in self._fragments.values() if f.sent_at is not None]

    def wake(self) -> None:
        """Wake whoever waits for a change."""
        with self.lock:
            self.version += 1
            self.lock.notify_all()

    def wait_beyond(self, version: int, timeout_s: float) -> None:
        """Wait until something has changed since `version`."""
        with self.lock:
            self.lock.wait_for(lambda: self.version != version, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds, and say whether it does."""
        with self.lock:
            return self.lock.wait_for(condition, timeout_s)

    def _remove(self, timecode: int | None, outcome: str) -> bool:
        with self.lock:
            fragment = self._fragments.pop(timecode, None) if timecode is not None else None
            if fragment is None:
                return False
            fragment.is_gone = True
            self._bytes -= fragment.size
            self._count(**{outcome: 1})
            self.wake()
            return True

    def _drop_beyond_limit(self) -> None:
        while self._bytes > self._limit_bytes and len(self._fragments) > 1:
            self._remove(next(iter(self._fragments)), "dropped")

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._counts, name) + number for name, number in more.items()}
        self._counts = replace(self._counts, **changed)
