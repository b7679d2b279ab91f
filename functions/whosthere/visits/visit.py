"""Visits: a run of sightings of one person or stranger at one camera, and its one alert.

A visit is pure arithmetic on capture times, so it comes out the same whatever the
order and however often its sightings arrive. What became of its alert:

    none --confirmed--> due --> claimed --> sent
                         ^         |          quiet: confirmed, nobody is to be told
                         '-refused-'
"""

from bisect import insort
from dataclasses import dataclass, replace

from whosthere.faces.match import Sighting, confirming
from whosthere.geometry import Box
from whosthere.settings import Settings

NONE, DUE, CLAIMED, SENT, QUIET = "none", "due", "claimed", "sent", "quiet"

# Capture times a visit remembers. They tell a sighting that comes again from a new
# one, and confirm the visit; what is older than all of them counts as known.
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
        """Whether a sighting at that moment belongs to this visit."""
        return self.first_ms - gap_ms <= moment_ms <= self.last_ms + gap_ms

    def distance(self, moment_ms: int) -> int:
        """Time between that moment and the visit; 0 inside it."""
        return max(self.first_ms - moment_ms, moment_ms - self.last_ms, 0)

    def is_free(self, now_ms: int) -> bool:
        """Whether its alert waits for somebody to send it."""
        return self.alert == DUE or (self.alert == CLAIMED and self.lease_ms < now_ms)


def open_visit(camera: str, who: str, session: str, sighting: Sighting) -> Visit:
    """A visit that begins with this sighting, which is yet to be added."""
    moment = sighting.captured_ms
    return Visit(
        camera=camera,
        who=who,
        session=session,
        opened_ms=moment,
        first_ms=moment,
        last_ms=moment,
        times=(),
        sightings=0,
        similarity=0.0,
        persons=sighting.persons,
        box=sighting.box,
        box_ms=moment,
    )


class Tally:
    """Sightings being added to a visit: of a batch, as copying the visit for each takes long."""

    def __init__(self, visit: Visit, settings: Settings) -> None:
        self._visit, self._settings, self._gap_ms = visit, settings, settings.gap_ms
        self._first_ms, self._last_ms = visit.first_ms, visit.last_ms
        self._box, self._box_ms = visit.box, visit.box_ms
        self._times, self._sightings = list(visit.times), visit.sightings
        self._similarity, self._persons = visit.similarity, visit.persons
        self._captured_ms, self._recognised_ms = visit.captured_ms, visit.recognised_ms
        self._is_open = visit.alert == NONE

    def covers(self, moment_ms: int) -> bool:
        """Whether a sighting at that moment belongs to the visit as it is by now."""
        return self._first_ms - self._gap_ms <= moment_ms <= self._last_ms + self._gap_ms

    def knows(self, moment_ms: int) -> bool:
        """Whether a sighting of that capture time was counted before."""
        times = self._times
        forgotten = len(times) == REMEMBERED and moment_ms < times[0]
        return forgotten or moment_ms in times

    def add(self, sighting: Sighting) -> bool:
        """Add a sighting; False if the visit knew it already, which changes nothing."""
        moment_ms = sighting.captured_ms
        if sighting.confirms and self.knows(moment_ms):
            return False
        self._first_ms = min(self._first_ms, moment_ms)
        self._last_ms = max(self._last_ms, moment_ms)
        if moment_ms >= self._box_ms:
            self._box, self._box_ms = sighting.box, moment_ms
        if sighting.confirms:
            self._count(sighting)
        return True

    def visit(self) -> Visit:
        """The visit with what was added; equal to the one before if nothing was."""
        confirmed = self._visit.alert == NONE and not self._is_open
        return replace(
            self._visit,
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            box=self._box,
            box_ms=self._box_ms,
            times=tuple(self._times),
            sightings=self._sightings,
            similarity=self._similarity,
            persons=self._persons,
            alert=DUE if confirmed else self._visit.alert,
            captured_ms=self._captured_ms,
            recognised_ms=self._recognised_ms,
        )

    def _count(self, sighting: Sighting) -> None:
        insort(self._times, sighting.captured_ms)
        del self._times[:-REMEMBERED]
        self._sightings += 1
        self._similarity = max(self._similarity, sighting.similarity)
        if self._is_open:
            self._confirm(sighting)

    def _confirm(self, sighting: Sighting) -> None:
        # Whoever stays possible in every sighting is named: one clear sighting ends a doubt.
        possible = tuple(who for who in self._persons if who in sighting.persons)
        self._persons = possible or self._persons
        moment_ms = confirming(self._times, self._settings)
        if moment_ms is not None:
            self._is_open = False
            self._captured_ms, self._recognised_ms = moment_ms, sighting.recognised_ms
