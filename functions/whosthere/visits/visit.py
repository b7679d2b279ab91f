"""Visits: a run of sightings of one person or stranger at one camera, and its one alert.

A visit is pure arithmetic on capture times, so the result is the same in whatever order and
however often its sightings arrive. What became of its alert:

    none --confirmed--> due --> claimed --> sent
                         ^         |          quiet: confirmed, but the alert is suppressed
                         '-refused-'
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

from whosthere.faces.match import Sighting, confirmed_at
from whosthere.geometry import Box
from whosthere.names import STRANGER_PREFIX
from whosthere.settings import Settings

NONE, DUE, CLAIMED, SENT, QUIET = "none", "due", "claimed", "sent", "quiet"

# Capture times that a visit remembers. They tell a duplicate sighting from a new one, and
# confirm the visit; a sighting that is older than all of them counts as known.
REMEMBERED = 60


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit; times in milliseconds. `opened_ms` is part of its name and never changes."""

    camera: str
    who: str
    session: str
    opened_ms: int
    first_ms: int
    last_ms: int
    times: tuple[int, ...]
    sightings: int
    similarity: float
    persons: tuple[str, ...]
    box: Box
    box_ms: int
    alert: str = NONE
    claim: str = ""
    lease_ms: int = 0
    captured_ms: int = 0
    recognised_ms: int = 0
    sent_ms: int = 0

    @property
    def id(self) -> str:
        """Name of the visit, the same at every retry."""
        return f"{self.who}-{self.opened_ms}"

    def covers(self, moment_ms: int, gap_ms: int) -> bool:
        """Return whether a sighting at that moment belongs to this visit."""
        return self.first_ms - gap_ms <= moment_ms <= self.last_ms + gap_ms

    def distance(self, moment_ms: int) -> int:
        """Return the time between that moment and the visit; 0 inside it."""
        return max(self.first_ms - moment_ms, moment_ms - self.last_ms, 0)

    def is_free(self, now_ms: int) -> bool:
        """Return whether its alert waits for a worker to send it."""
        return self.alert == DUE or (self.alert == CLAIMED and self.lease_ms < now_ms)


@dataclass(frozen=True, slots=True)
class VisitUpdate:
    """A visit with sightings added: the first `added` of those given, duplicates included."""

    visit: Visit
    added: int
    has_duplicates: bool


def open_visit(camera: str, who: str, session: str, sighting: Sighting) -> Visit:
    """Return a visit that begins with this sighting, which is still to be added."""
    moment_ms = sighting.frame.captured_ms
    return Visit(
        camera=camera,
        who=who,
        session=session,
        opened_ms=moment_ms,
        first_ms=moment_ms,
        last_ms=moment_ms,
        times=(),
        sightings=0,
        similarity=0.0,
        # A stranger's visit names no persons.
        persons=() if who.startswith(STRANGER_PREFIX) else sighting.who,
        box=sighting.face.box,
        box_ms=moment_ms,
    )


class VisitBuilder:
    """Adds the sightings of a batch to a visit: copying the visit for each takes long."""

    def __init__(self, visit: Visit, settings: Settings) -> None:
        """Begin with the visit as it was written last."""
        self._visit, self._settings = visit, settings
        self._first_ms, self._last_ms = visit.first_ms, visit.last_ms
        self._box, self._box_ms = visit.box, visit.box_ms
        self._times, self._sightings = list(visit.times), visit.sightings
        self._similarity, self._persons = visit.similarity, visit.persons
        self._captured_ms, self._recognised_ms = visit.captured_ms, visit.recognised_ms
        self._is_open = visit.alert == NONE

    def add(self, sightings: Sequence[Sighting]) -> VisitUpdate:
        """Add sightings in order of capture, up to the first that belongs to another visit.

        The visit is equal to the one before if all of them are duplicates.
        """
        gap_ms, added, has_duplicates = self._settings.gap_ms, 0, False
        for sighting in sightings:
            moment_ms = sighting.frame.captured_ms
            if not self._first_ms - gap_ms <= moment_ms <= self._last_ms + gap_ms:
                break
            has_duplicates |= not self._add(sighting, moment_ms)
            added += 1
        is_confirmed = self._visit.alert == NONE and not self._is_open
        visit = replace(
            self._visit,
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            box=self._box,
            box_ms=self._box_ms,
            times=tuple(self._times),
            sightings=self._sightings,
            similarity=self._similarity,
            persons=self._persons,
            alert=DUE if is_confirmed else self._visit.alert,
            captured_ms=self._captured_ms,
            recognised_ms=self._recognised_ms,
        )
        return VisitUpdate(visit, added, has_duplicates)

    def _add(self, sighting: Sighting, moment_ms: int) -> bool:
        """Add a sighting; return False if it is a duplicate, which changes nothing.

        An unmatched face, turned away, keeps the visit open and counts for nothing else.
        """
        if sighting.who:
            times = self._times
            is_forgotten = len(times) == REMEMBERED and moment_ms < times[0]
            if is_forgotten or moment_ms in times:
                return False
            insort(times, moment_ms)
            del times[:-REMEMBERED]
            self._sightings += 1
            self._similarity = max(self._similarity, sighting.similarity)
        self._first_ms = min(self._first_ms, moment_ms)
        self._last_ms = max(self._last_ms, moment_ms)
        if moment_ms >= self._box_ms:
            self._box, self._box_ms = sighting.face.box, moment_ms
        if sighting.who and self._is_open:
            self._confirm(sighting)
        return True

    def _confirm(self, sighting: Sighting) -> None:
        # Whoever stays possible in every sighting is named: one clear sighting ends a doubt.
        possible = [who for who in self._persons if who in sighting.who]
        self._persons = tuple(possible) or self._persons
        captured_ms = confirmed_at(self._times, self._settings)
        if captured_ms is not None:
            self._is_open = False
            self._captured_ms = captured_ms
            self._recognised_ms = sighting.frame.recognised_ms
