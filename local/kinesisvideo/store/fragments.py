"""The store of fragments: one file each, within a limit and the stream's retention."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from local.kinesisvideo.mkv.parser import FragmentFinished
from local.kinesisvideo.store.fragment_index import (
    Fragment,
    FragmentIndex,
    Selector,
    read_file,
    write_file,
)

HOUR = 3600.0
# A stream without retention keeps this much for its live readers (CreateStream).
BUFFER_SECONDS = 300.0
BUFFER_BYTES = 200 * 1024 * 1024
STORE_BYTES = 4 * 1024**3
UNFINISHED = ".part"


class StreamGoneError(Exception):
    """The stream has been deleted."""


class FragmentStore:
    """Stores fragments and wakes live readers; thread-safe."""

    def __init__(
        self,
        directory: Path,
        retention_hours: Callable[[str], int | None],
        *,
        clock: Callable[[], float] = time.time,
        limit_bytes: int = STORE_BYTES,
    ) -> None:
        """Start an empty store in a directory."""
        self._directory = directory
        self._retention_hours = retention_hours
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._lock = threading.RLock()
        self._indexes: dict[str, FragmentIndex] = {}
        self._watchers: dict[str, set[Callable[[], None]]] = {}
        self._numbers = itertools.count(time.time_ns())

    def next_number(self) -> str:
        """Return a fragment number: 47 digits like AWS's, higher than every earlier one."""
        return f"913438523331{next(self._numbers):035d}"

    def add(
        self, arn: str, number: str, finished: FragmentFinished, *, producer: int, server: int
    ) -> Fragment:
        """Store a fragment; times are those of its start in milliseconds.

        StreamGoneError if the stream was deleted meanwhile, OSError if the disk refuses.
        """
        fragment = Fragment(
            number=number,
            arrival=0,
            producer_ms=producer,
            server_ms=server,
            cluster_ms=finished.start_ms,
            length_ms=finished.length_ms,
            header_length=len(finished.header),
            size=len(finished.header) + len(finished.cluster),
            tags=finished.tags,
        )
        written = self._directory / f"{number}{UNFINISHED}"
        write_file(written, finished)  # outside the lock
        try:
            with self._lock:
                if self._retention_hours(arn) is None:
                    raise StreamGoneError(arn)
                fragment = self._index(arn).add(written, fragment)
                self._expire_all()
                self._wake(arn)
        finally:
            written.unlink(missing_ok=True)
        return fragment

    def read(self, arn: str, fragment: Fragment) -> tuple[bytes, bytes] | None:
        """Return the header and the cluster, or None if the fragment has expired."""
        with self._lock:
            path = self._index(arn).path(fragment)
        return read_file(path, fragment)

    def after(self, arn: str, arrival: int) -> list[Fragment]:
        """Return the fragments that arrived after a given one, in order of arrival."""
        with self._lock:
            return self._current(arn).after(arrival)

    def last_arrival(self, arn: str) -> int:
        """Return the arrival number of the newest fragment, 0 before the first."""
        with self._lock:
            return self._index(arn).last_arrival

    def latest_ms(self, arn: str) -> int:
        """Return when the newest fragment began to arrive, or 0 without fragments."""
        with self._lock:
            return self._index(arn).latest_ms

    def by_number(self, arn: str, number: str) -> Fragment | None:
        """Return the fragment of that number, or None if it has expired."""
        with self._lock:
            return self._current(arn).by_number(number)

    def between(self, arn: str, selector: Selector, start: int, end: int) -> list[Fragment]:
        """Return the fragments whose start lies in a range, both ends included, by time."""
        with self._lock:
            return self._current(arn).between(selector, start, end)

    def forget(self, arn: str) -> None:
        """Delete a stream's fragments and wake its readers, which then end."""
        with self._lock:
            self._index(arn).clear()
            del self._indexes[arn]
            self._wake(arn)

    def expire(self) -> None:
        """Delete fragments past their stream's retention or beyond the store's limit."""
        with self._lock:
            self._expire_all()

    @contextlib.contextmanager
    def watch(self, arn: str) -> Iterator[asyncio.Event]:
        """Yield an event of the running loop that is set when the stream changes."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(event.set)

        with self._lock:
            self._watchers.setdefault(arn, set()).add(wake)
        try:
            yield event
        finally:
            with self._lock:
                self._watchers[arn].discard(wake)

    def _wake(self, arn: str) -> None:
        for wake in self._watchers.get(arn, ()):
            wake()

    def _index(self, arn: str) -> FragmentIndex:
        if arn not in self._indexes:
            self._indexes[arn] = FragmentIndex(self._directory, arn)
        return self._indexes[arn]

    def _current(self, arn: str) -> FragmentIndex:
        index = self._index(arn)
        self._expire(arn, index)
        return index

    def _expire(self, arn: str, index: FragmentIndex) -> None:
        hours = self._retention_hours(arn)
        seconds = hours * HOUR if hours else BUFFER_SECONDS
        index.drop_older_than(int((self._clock() - seconds) * 1000))
        if not hours:
            index.shrink_to(BUFFER_BYTES)

    def _expire_all(self) -> None:
        for arn, index in self._indexes.items():
            self._expire(arn, index)
        excess = sum(index.size for index in self._indexes.values()) - self._limit_bytes
        while excess > 0:
            oldest = min(
                (index for index in self._indexes.values() if index.size),
                key=lambda index: index.oldest_ms,
            )
            excess -= oldest.drop_oldest()
