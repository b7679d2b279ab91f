"""The fragments that wait: in memory or on disk, and what anybody may ask about them."""

import threading
import time
from collections.abc import Callable, Iterable

from .fragment import Counts, Fragment, Place
from .shared import Shared
from .stock import Limits, Stock


class Backlog(Shared):
    """A stock of fragments behind a lock, as those see it who keep it and who look at it.

    The keeper's thread moves fragments to disk; nothing here touches the disk itself.
    `lock` guards everything here and in the fragments.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        found: Iterable[Fragment] = (),
        say: Callable[[str], None] = lambda text: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.disk_work = threading.Condition(self._mutex)
        self.is_closed = False
        self.is_flowing = True
        self._limits = limits or Limits()
        self._stock = Stock(self._limits, say, monotonic)
        self._stock.enter_found(found)
        self._monotonic = monotonic

    # What the keeper calls.

    def in_memory(self) -> list[Fragment]:
        """List what has ended and lies in memory alone."""
        with self.lock:
            return list(self._stock.in_memory.values())

    def due_for_disk(self) -> tuple[list[Fragment], float | None]:
        """List what should be written, and say in how many seconds the next one will be."""
        with self.lock:
            return self._stock.due_for_disk(self._monotonic(), is_patient=self.is_flowing)

    def is_written(self, fragment: Fragment, place: Place) -> None:
        """Take note of where a fragment lies on disk now."""
        with self.lock:
            self._stock.move_to(place, fragment)

    @property
    def has_given_up(self) -> bool:
        """Say whether there are places on disk that are needed no more."""
        return bool(self._stock.given_up)

    def given_up(self) -> list[Place]:
        """Give the places on disk that are needed no more; each once."""
        with self.lock:
            places, self._stock.given_up = self._stock.given_up, []
            return places

    def make_room_on_disk(self) -> bool:
        """Drop the oldest file's fragments, if memory has no room; say whether any were."""
        with self.lock:
            if self.memory_bytes <= self._limits.memory_bytes:
                return False
            return self._stock.drop_oldest_file()

    def flows(self, is_flowing: bool) -> None:
        """Say whether fragments get through; while they don't, they go to disk at once."""
        with self.lock:
            self.is_flowing = is_flowing
            self.disk_work.notify_all()

    def drop_older_than(self, now_ms: int) -> None:
        """Drop what is so far behind a time that it is not sent any more."""
        with self.lock:
            self._stock.drop_older_than(now_ms)
            self.disk_work.notify_all()

    # What everybody may ask.

    @property
    def counts(self) -> Counts:
        """Say how much came in and what became of it."""
        return self._stock.counts

    @property
    def buffered_bytes(self) -> int:
        """Say how much waits, in memory and on disk."""
        return self._stock.bytes

    @property
    def memory_bytes(self) -> int:
        """Say how much of that is in memory."""
        return self._stock.memory_bytes

    @property
    def fragments_on_disk(self) -> int:
        """Say how many fragments wait on disk."""
        with self.lock:
            return self.counts.waiting - len(self._stock.in_memory)

    @property
    def oldest(self) -> Fragment | None:
        """Give the fragment that waits longest."""
        with self.lock:
            return self._stock.oldest

    @property
    def is_waiting(self) -> bool:
        """Say whether a whole fragment waits to be stored."""
        oldest = self.oldest
        return oldest is not None and oldest.is_complete

    @property
    def is_done(self) -> bool:
        """Say whether nothing is left to send or to wait for."""
        with self.lock:
            return self.is_closed and not self._stock.fragments
