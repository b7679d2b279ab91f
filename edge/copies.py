"""Copies of what lies in memory, in a folder that is memory too: they survive a kill.

The program's own memory is gone when it is killed; a tmpfs, such as the folder that
systemd gives a service below /run, is not. A power cut takes both.
"""

import contextlib
from collections.abc import Iterable, Iterator

from .fragment import Fragment, Place
from .ring import DamagedError, Ring

# Each copy is a file of its own, which goes when it is needed no more.
COPY_BYTES = 1


class Copies:
    """Keeps a copy of each fragment that has ended and is neither stored nor on disk.

    One thread calls it. A folder that takes nothing costs a copy, not its fragment.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._places: dict[int, Place | None] = {}

    def fit(self, fragments: Iterable[Fragment]) -> bool:
        """Say whether these fragments, and no others, were copied."""
        return self._places.keys() == {fragment.number for fragment in fragments}

    def follow(self, fragments: Iterable[Fragment]) -> None:
        """Have copies of these fragments and of no others."""
        wanted = {fragment.number: fragment for fragment in fragments}
        for number in self._places.keys() - wanted.keys():
            if place := self._places.pop(number):
                self._ring.forget(place)
        for number in sorted(wanted.keys() - self._places.keys()):
            self._places[number] = None
            with contextlib.suppress(OSError):
                self._places[number] = self._ring.append(wanted[number])

    def close(self) -> None:
        """Let go of the folder; it is deleted if it is empty."""
        self._ring.close()


def taken_over(copied: Ring, ring: Ring, known: Iterable[Fragment]) -> Iterator[Fragment]:
    """Move to disk what a run that was killed has left, but what lies there already."""
    timecodes = {fragment.timecode for fragment in known}
    for fragment in copied.find():
        assert fragment.place is not None
        with contextlib.suppress(OSError, DamagedError):
            place = fragment.place
            if fragment.timecode not in timecodes:
                fragment.pieces = [copied.read(place)]
                fragment.place = ring.append(fragment)
                fragment.pieces = []
                yield fragment
            copied.forget(place)
