"""Visits: a run of sightings of one person or stranger at one camera, and its one alert.

A visit is pure arithmetic on capture times, so it comes out the same whatever the
order and however often its sightings arrive. What became of its alert:

    none --confirmed--> due --> claimed --> sent
                         ^         |          quiet: confirmed, nobody is to be told
                         '-refused-'
"""

from bisect import insort
from dataclasses import dataclass, replace

from whosthere.boxes import Box
from whosthere.settings import Settings
from whosthere.sightings import Sighting

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

    def knows(self, moment_ms: int) -> bool:
        """Whether a sighting of that capture time was counted before."""
        forgotten = len(self.times) == REMEMBERED and moment_ms < self.times[0]
        return forgotten or moment_ms in self.times

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


def add(visit: Visit, sighting: Sighting, settings: Settings) -> Visit:
    """The visit with one more sighting; the same visit if it knows it already."""
    moment = sighting.captured_ms
    if sighting.confirms and visit.knows(moment):
        return visit
    seen = replace(
        visit,
        first_ms=min(visit.first_ms, moment),
        last_ms=max(visit.last_ms, moment),
    )
    if moment >= visit.box_ms:
        seen = replace(seen, box=sighting.box, box_ms=moment)
    return _count(seen, sighting, settings) if sighting.confirms else seen


def _count(visit: Visit, sighting: Sighting, settings: Settings) -> Visit:
    times = list(visit.times)
    insort(times, sighting.captured_ms)
    visit = replace(
        visit,
        times=tuple(times[-REMEMBERED:]),
        sightings=visit.sightings + 1,
        similarity=max(visit.similarity, sighting.similarity),
    )
    if visit.alert != NONE:
        return visit
    # Whoever stays possible in every sighting is named: one clear sighting ends a doubt.
    possible = tuple(who for who in visit.persons if who in sighting.persons)
    visit = replace(visit, persons=possible or visit.persons)
    moment = confirming(visit.times, settings)
    if moment is None:
        return visit
    return replace(visit, alert=DUE, captured_ms=moment, recognised_ms=sighting.recognised_ms)


def confirming(times: tuple[int, ...], settings: Settings) -> int | None:
    """Capture time of the sighting that confirms, or None: so many within the window."""
    more = settings.confirm_sightings - 1
    for start, end in zip(times, times[more:], strict=False):
        if end - start <= settings.confirm_window_ms:
            return end
    return None
