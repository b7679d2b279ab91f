"""Visits: a run of sightings of one person or stranger at one camera, and its one alert.

A visit is pure arithmetic on capture times, so the result is the same in whatever order and
however often its sightings arrive. What became of its alert:

    none --confirmed--> due --> claimed --> sent
                         ^         |          quiet: confirmed, but the alert is suppressed
                         '-refused-'

Sightings that are sure confirm a visit, or many that are unsure and like nobody else: it is
probable then, until sure ones confirm it too.
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
class UnsureSightings:
    """The unsure sightings of a visit: capture times, how many, and the best similarity.

    `is_doubted`: a face at this place was also like somebody else.
    """

    times: tuple[int, ...] = ()
    sightings: int = 0
    similarity: float = 0.0
    is_doubted: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit; times in milliseconds. `opened_ms` is part of its name and never changes.

    `times`, `sightings` and `similarity` are of the sure sightings. `is_probable`: only unsure
    ones have confirmed it.
    """

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
    unsure: UnsureSightings = UnsureSightings()
    is_probable: bool = False

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
        persons=() if who.startswith(STRANGER_PREFIX) else sighting.who or (who,),
        box=sighting.face.box,
        box_ms=moment_ms,
    )


@dataclass(slots=True)
class _Sightings:
    """Sightings that count, as they are added."""

    times: list[int]
    number: int
    similarity: float


class VisitBuilder:
    """Adds the sightings of a batch to a visit: copying the visit for each takes long."""

    def __init__(self, visit: Visit, settings: Settings) -> None:
        """Begin with the visit as it was written last."""
        self._visit, self._settings = visit, settings
        self._first_ms, self._last_ms = visit.first_ms, visit.last_ms
        self._box, self._box_ms = visit.box, visit.box_ms
        unsure = visit.unsure
        self._sure = _Sightings(list(visit.times), visit.sightings, visit.similarity)
        self._unsure = _Sightings(list(unsure.times), unsure.sightings, unsure.similarity)
        self._is_doubted, self._is_probable = unsure.is_doubted, visit.is_probable
        self._persons = visit.persons
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
        unsure = self._visit.unsure
        if self._unsure.number or self._is_doubted:
            unsure = self._unsure_sightings()
        visit = replace(
            self._visit,
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            box=self._box,
            box_ms=self._box_ms,
            times=tuple(self._sure.times),
            sightings=self._sure.number,
            similarity=self._sure.similarity,
            persons=self._persons,
            unsure=unsure,
            is_probable=self._is_probable,
            alert=DUE if is_confirmed else self._visit.alert,
            captured_ms=self._captured_ms,
            recognised_ms=self._recognised_ms,
        )
        return VisitUpdate(visit, added, has_duplicates)

    def _add(self, sighting: Sighting, moment_ms: int) -> bool:
        """Add a sighting; return False if it is a duplicate, which changes nothing.

        An unmatched face, turned away, keeps the visit open and counts for nothing else.
        """
        counted: _Sightings | None = None
        if sighting.who:
            counted = self._sure
        elif sighting.resembles == (self._visit.who,):
            counted = self._unsure
        elif sighting.resembles and not self._sure.times:
            self._is_doubted = True
            return True
        if counted is not None:
            times = counted.times
            is_forgotten = len(times) == REMEMBERED and moment_ms < times[0]
            if is_forgotten or moment_ms in times:
                return False
            insort(times, moment_ms)
            del times[:-REMEMBERED]
            counted.number += 1
            counted.similarity = max(counted.similarity, sighting.similarity)
        self._first_ms = min(self._first_ms, moment_ms)
        self._last_ms = max(self._last_ms, moment_ms)
        if moment_ms >= self._box_ms:
            self._box, self._box_ms = sighting.face.box, moment_ms
        if counted is not None and (self._is_open or self._is_probable):
            self._confirm(sighting)
        return True

    def _confirm(self, sighting: Sighting) -> None:
        if sighting.who:
            # Whoever stays possible in every sighting is named: one clear sighting ends a doubt.
            # Before the first, it is the person that unsure ones resemble. A stranger has no name.
            is_first = bool(self._persons) and len(self._sure.times) == 1
            possible = [one for one in self._persons if one in sighting.who]
            self._persons = sighting.who if is_first else tuple(possible) or self._persons
            captured_ms = confirmed_at(self._sure.times, self._settings)
        else:
            captured_ms = self._probably_confirmed_at()
        if captured_ms is None:
            return
        self._is_open, self._is_probable = False, not sighting.who
        if self._visit.alert == NONE:
            self._captured_ms = captured_ms
            self._recognised_ms = sighting.frame.recognised_ms

    def _probably_confirmed_at(self) -> int | None:
        """Return the capture time of the unsure sighting that confirms; None if there is none."""
        times, needed = self._unsure.times, self._settings.probably_sightings
        if self._is_doubted or not self._is_open or not 0 < needed <= len(times):
            return None
        return times[needed - 1]

    def _unsure_sightings(self) -> UnsureSightings:
        unsure = self._unsure
        return UnsureSightings(
            tuple(unsure.times), unsure.number, unsure.similarity, self._is_doubted
        )
