"""The thread that keeps on disk what is not stored yet, and deletes what is."""

import contextlib
import threading
import time
from collections.abc import Callable

from .copies import Copies
from .fragment import Fragment
from .fragments import FragmentBuffer
from .ring import Ring

# What a power cut may take of what was written; each sync wears out a memory card.
SYNC_S = 5.0
RETRY_S = 5.0
# The card of a Pi can take this long over what it has been given.
LAST_WRITE_S = 30.0


class Keeper:
    """Moves fragments from a buffer to its ring; nobody else writes there.

    A disk that takes nothing is said once, and tried again every few seconds; meanwhile
    fragments stay in memory, as many as the buffer's limits allow.
    """

    def __init__(
        self,
        buffer: FragmentBuffer,
        ring: Ring,
        say: Callable[[str], None],
        copies: Copies | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure = ""
        self._buffer = buffer
        self._ring = ring
        self._copies = copies
        self._say = say
        self._monotonic = monotonic
        self._synced_at = monotonic()
        self._retry_at = float("-inf")
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """Write what still waits in memory, and let go of the disk."""
        with self._buffer.lock:
            self._is_over = True
            self._buffer.flows(False)
        self._thread.join(LAST_WRITE_S)

    def _run(self) -> None:
        try:
            while not self._is_over:
                self._work()
                self._wait()
            self._retry_at = float("-inf")
            self._work()
        finally:
            if self._copies:
                self._copies.close()
            self._ring.close()

    def _work(self) -> None:
        self._forget()
        if self._monotonic() >= self._retry_at:
            for fragment in self._buffer.due_for_disk()[0]:
                if not self._write(fragment):
                    break
        self._forget()
        if self._copies:
            self._copies.follow(self._buffer.in_memory())
        if self._monotonic() - self._synced_at >= SYNC_S:
            with contextlib.suppress(OSError):  # the next write will tell
                self._ring.sync()
            self._synced_at = self._monotonic()

    def _wait(self) -> None:
        with self._buffer.lock:
            due, next_s = self._buffer.due_for_disk()
            wait_s = SYNC_S if next_s is None else next_s
            if due:
                wait_s = self._retry_at - self._monotonic()
            if wait_s > 0 and not self._is_over and not self._has_work():
                self._buffer.disk_work.wait(wait_s)

    def _has_work(self) -> bool:
        is_behind = self._copies is not None and not self._copies.fit(self._buffer.in_memory())
        return is_behind or self._buffer.has_given_up

    def _forget(self) -> None:
        for place in self._buffer.given_up():
            self._ring.forget(place)

    def _write(self, fragment: Fragment) -> bool:
        while not self._append(fragment):
            # The oldest video makes room for the newest, on a disk that others fill too.
            if not self._buffer.make_room_on_disk():
                return False
            self._forget()
        return True

    def _append(self, fragment: Fragment) -> bool:
        if fragment.is_gone:
            return True
        try:
            self._buffer.is_written(fragment, self._ring.append(fragment))
        except OSError as exc:
            self._retry_at = self._monotonic() + RETRY_S
            if not self.failure:
                self._say(f"The disk takes nothing, fragments stay in memory: {exc.strerror}.")
            self.failure = exc.strerror or str(exc)
            return False
        if self.failure:
            self.failure = ""
            self._say("The disk takes fragments again.")
        return True
