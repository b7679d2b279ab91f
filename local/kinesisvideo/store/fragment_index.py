"""The index of one stream's fragments: by number, arrival and both timestamps; and their files."""

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from local.kinesisvideo.mkv.cluster import Tags
from local.kinesisvideo.mkv.parser import FragmentFinished


class Selector(StrEnum):
    """The clock of a timestamp: the producer's or the server's."""

    PRODUCER = "PRODUCER_TIMESTAMP"
    SERVER = "SERVER_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Fragment:
    """The metadata of a stored fragment; times are those of its start."""

    number: str
    arrival: int  # the number of the fragment in order of completion; 0 before
    producer_ms: int
    server_ms: int
    cluster_ms: int  # the time written in the cluster
    length_ms: int
    header_length: int
    size: int
    tags: Tags

    def start(self, selector: Selector) -> int:
        """Return the start by one of the two clocks."""
        return self.producer_ms if selector is Selector.PRODUCER else self.server_ms


def write_file(path: Path, finished: FragmentFinished) -> None:
    """Write the header and the cluster; delete the file if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            file.writelines((finished.header, finished.cluster))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def read_file(path: Path, fragment: Fragment) -> tuple[bytes, bytes] | None:
    """Return the header and the cluster, or None if the file does not exist."""
    try:
        with path.open("rb") as file:
            return file.read(fragment.header_length), file.read()
    except FileNotFoundError:
        return None


class FragmentIndex:
    """The fragments of one stream, in order of arrival, by number and by time."""

    def __init__(self, directory: Path, arn: str) -> None:
        # A stream's name may be longer than a file's.
        """Start an empty index of a stream."""
        self._folder = directory / hashlib.sha256(arn.encode()).hexdigest()[:32]
        self._queue: deque[Fragment] = deque()
        self._numbers: dict[str, Fragment] = {}
        self._times: dict[Selector, list[tuple[int, int, Fragment]]] = {
            selector: [] for selector in Selector
        }
        self.size = 0
        self.last_arrival = 0

    @property
    def oldest_ms(self) -> int:
        """Return when the oldest fragment began to arrive."""
        return self._queue[0].server_ms

    @property
    def latest_ms(self) -> int:
        """Return when the newest fragment began to arrive, or 0 without fragments."""
        return self._queue[-1].server_ms if self._queue else 0

    def path(self, fragment: Fragment) -> Path:
        """Return the path of a fragment's file."""
        return self._folder / f"{fragment.arrival}-{fragment.number}.fragment"

    def add(self, written: Path, fragment: Fragment) -> Fragment:
        """Move a fragment's file into the index and give it the next arrival number."""
        arrived = replace(fragment, arrival=self.last_arrival + 1)
        self._folder.mkdir(parents=True, exist_ok=True)
        written.rename(self.path(arrived))
        self._insert(arrived)
        return arrived

    def _insert(self, fragment: Fragment) -> None:
        self.last_arrival = fragment.arrival
        self.size += fragment.size
        self._queue.append(fragment)
        self._numbers[fragment.number] = fragment
        for selector, times in self._times.items():
            entry = (fragment.start(selector), fragment.arrival, fragment)
            insort(times, entry, key=_order)

    def after(self, arrival: int) -> list[Fragment]:
        """Return the fragments that arrived later, in order."""
        newer = []
        for fragment in reversed(self._queue):
            if fragment.arrival <= arrival:
                break
            newer.append(fragment)
        return newer[::-1]

    def by_number(self, number: str) -> Fragment | None:
        """Return the fragment of that number, or None."""
        return self._numbers.get(number)

    def between(self, selector: Selector, start: int, end: int) -> list[Fragment]:
        """Return the fragments that start in a range, by time."""
        times = self._times[selector]
        first = bisect_left(times, start, key=_time)
        last = bisect_right(times, end, key=_time)
        return [fragment for _, _, fragment in times[first:last]]

    def drop_older_than(self, server_ms: int) -> None:
        """Delete fragments that began to arrive before a time."""
        self._drop_while(lambda: self._queue[0].server_ms < server_ms)

    def shrink_to(self, size: int) -> None:
        """Delete the oldest fragments until the rest fits a size."""
        self._drop_while(lambda: self.size > size)

    def clear(self) -> None:
        """Delete all fragments and the folder."""
        self._drop_while(lambda: True)
        if self._folder.exists():
            self._folder.rmdir()

    def _drop_while(self, condition: Callable[[], bool]) -> None:
        while self._queue and condition():
            self.drop_oldest()

    def drop_oldest(self) -> int:
        """Delete the oldest fragment and return the bytes freed."""
        fragment = self._queue.popleft()
        self.size -= fragment.size
        del self._numbers[fragment.number]
        for selector, times in self._times.items():
            key = (fragment.start(selector), fragment.arrival)
            del times[bisect_left(times, key, key=_order)]
        self.path(fragment).unlink(missing_ok=True)
        return fragment.size


def _order(entry: tuple[int, int, Fragment]) -> tuple[int, int]:
    return entry[:2]


def _time(entry: tuple[int, int, Fragment]) -> int:
    return entry[0]
