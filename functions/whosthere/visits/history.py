"""Who was here: past visits of a span of time, of a camera, and of a person or stranger."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from operator import attrgetter, itemgetter
from zoneinfo import ZoneInfo

from whosthere.clock import DAY_S, utc
from whosthere.dynamodb import Row, Table
from whosthere.visits import index, queries, store
from whosthere.visits.identities import Identities
from whosthere.visits.store import StoredVisit
from whosthere.visits.visit import CLAIMED, DUE, NONE, QUIET, SENT

DAY_MS = 1000 * DAY_S
# How long before a span a visit may have opened that is still found in it.
BEFORE_MS = DAY_MS // 2
# A longer span of one person or stranger is read by their own index: each UTC day is a query.
BY_DAYS_MS = 6 * DAY_MS
ALL = 1_000_000
OPENED_LENGTH = 13  # digits of milliseconds, until the year 2286
ALERTS = (NONE, QUIET, DUE, CLAIMED, SENT)  # of several visits the last one counts


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in milliseconds, without its end."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class PastVisit:
    """A visit as the owner sees it: one or more rows, as one person may have had several ids.

    `who` is the person's id or the stranger's; `names` has nobody for a stranger, and several
    who are hard to tell apart. `picture_key` is a key in S3, or empty. Times are milliseconds.
    """

    who: str
    names: tuple[str, ...]
    stored: tuple[StoredVisit, ...]
    picture_key: str = ""

    @property
    def id(self) -> str:
        """Name of the visit: that of its first row, as alerts have it."""
        return self.stored[0].visit.id

    @property
    def camera(self) -> str:
        """Return the camera."""
        return self.stored[0].visit.camera

    @property
    def session(self) -> str:
        """Return the session in which the visit was last seen to go on."""
        return self.stored[-1].visit.session

    @property
    def first_ms(self) -> int:
        """Return the time of the first sighting."""
        return self.stored[0].visit.first_ms

    @property
    def last_ms(self) -> int:
        """Return the time of the last sighting."""
        return max(row.visit.last_ms for row in self.stored)

    @property
    def sightings(self) -> int:
        """Return how often the face was seen."""
        return sum(row.visit.sightings for row in self.stored)

    @property
    def similarity(self) -> float:
        """Return the best similarity, 0 to 100; 0 for a stranger."""
        return max(row.visit.similarity for row in self.stored)

    @property
    def alert(self) -> str:
        """Return what became of the alert; of several the one that went furthest."""
        return max((row.visit.alert for row in self.stored), key=ALERTS.index)

    @property
    def is_confirmed(self) -> bool:
        """Return whether it was seen often enough to count."""
        return self.alert != NONE

    def goes_on(self, now_ms: int, gap_ms: int) -> bool:
        """Return whether a sighting of now would belong to it, if the camera's clock is right."""
        return self.last_ms - gap_ms <= now_ms <= self.last_ms + gap_ms


def span_of_days(last: date, days: int, time_zone: str) -> Span:
    """Return the span of so many days on the owner's clock, up to and with the last one."""

    def midnight(day: date) -> int:
        return round(1000 * datetime.combine(day, time(), ZoneInfo(time_zone)).timestamp())

    return Span(midnight(last - timedelta(days=days - 1)), midnight(last + timedelta(days=1)))


def past_visits(
    table: Table,
    span: Span,
    gap_of: Callable[[str], int],
    *,
    camera: str = "",
    who: str = "",
    ids: Collection[str] = (),
    newest: int = ALL,
) -> list[PastVisit]:
    """Return the visits that touch a span, newest first; those not confirmed are among them.

    `gap_of` returns a camera's gap in milliseconds. `newest` bounds how many rows of visits are
    read, and so the time it takes. Each UTC day is a query, and eight days are at most ten; for a
    person in a longer span it is about one for each camera and id that the person ever had.
    `ids` are all that stand for `who`, where the caller knows: then no list of people and strangers
    is read, and no visit of anybody else, however many there are.
    """
    # The visit right behind the span may be the rest of one that began in it.
    wide = Span(span.from_ms - BEFORE_MS, span.to_ms + gap_of(camera))
    people = Identities(table)
    if ids:
        found = _index_rows_of(table, wide, ids, newest)
    else:
        found = _index_rows(table, wide, people.ids_of(who) if who else set(), newest)
    rows = list(islice((row for row in found if camera in ("", row["camera"])), newest))
    stored = queries.read_indexed(table, rows)
    people.read(one.visit.who for one in stored)
    people.read(person for one in stored for person in one.visit.persons)
    visits = [
        visit
        for visit in _joined(stored, people, gap_of)
        if visit.first_ms < span.to_ms and visit.last_ms >= span.from_ms
    ]
    return sorted(visits, key=attrgetter("first_ms"), reverse=True)


def find_past_visits(table: Table, visit_id: str, gap_of: Callable[[str], int]) -> list[PastVisit]:
    """Return the visits that have a row of that name, or of one with more of the id in it."""
    who, _, opened = visit_id.rpartition("-")
    if not who or not opened.isdecimal() or not opened.isascii() or len(opened) > OPENED_LENGTH:
        return []
    # Its other rows may have opened up to half a day earlier or later.
    span = Span(int(opened), int(opened) + BEFORE_MS)
    return [
        visit
        for visit in past_visits(table, span, gap_of)
        if any(
            one.visit.opened_ms == int(opened) and one.visit.who.startswith(who)
            for one in visit.stored
        )
    ]


def delete_past_visits(table: Table, visits: Iterable[PastVisit]) -> list[PastVisit]:
    """Delete all rows of visits; return those that are left, as they changed meanwhile."""
    left: dict[int, PastVisit] = {}
    found = [(one, visit) for visit in visits for one in visit.stored]
    # A current visit after those before it: it would make one of them the current one.
    for one, visit in sorted(found, key=lambda pair: pair[0].visit.opened_ms):
        if not store.delete_visit(table, one):
            left[id(visit)] = visit
    return list(left.values())


def _index_rows(table: Table, span: Span, ids: set[str], newest: int) -> Iterator[Row]:
    """Yield the index rows of visits that opened in a span, newest first; of `ids`, if any."""
    if not ids or span.to_ms - span.from_ms < BY_DAYS_MS:
        for row in _rows_of_days(table, span):
            if not ids or row["who"] in ids:
                yield row
        return
    yield from _index_rows_of(table, span, ids, newest)


def _index_rows_of(table: Table, span: Span, ids: Collection[str], newest: int) -> Iterator[Row]:
    """Yield the index rows of the visits of ids in a span, newest first."""
    found = [
        row
        for one in sorted(ids)
        for row in index.visits_of_one(table, one, span.from_ms, span.to_ms, newest)
    ]
    yield from sorted(found, key=itemgetter("opened"), reverse=True)


def _rows_of_days(table: Table, span: Span) -> Iterator[Row]:
    """Yield the index rows of a span, newest first; a day is read once it is asked for."""
    from_ms = max(0, span.from_ms)
    first, day = utc(from_ms).date(), utc(max(0, span.to_ms - 1)).date()
    while day >= first:
        yield from reversed(index.visits_of_day(table, day.isoformat(), from_ms, span.to_ms))
        day -= timedelta(days=1)


def _joined(
    stored: Iterable[StoredVisit], people: "Identities", gap_of: Callable[[str], int]
) -> Iterator[PastVisit]:
    """Yield what the owner sees as one visit: of one person at one camera, within the gap."""
    found: defaultdict[tuple[str, str], list[StoredVisit]] = defaultdict(list)
    for one in sorted(stored, key=attrgetter("visit.first_ms")):
        found[one.visit.camera, people.resolve(one.visit.who)].append(one)
    for (camera, who), rows in found.items():
        for run in _runs(rows, gap_of(camera)):
            yield PastVisit(who, people.names(who, run), tuple(run), people.picture_key(run))


def _runs(rows: list[StoredVisit], gap_ms: int) -> Iterator[list[StoredVisit]]:
    """Yield rows, in order of their first sighting, that lie within the gap of each other."""
    run, last_ms = rows[:1], rows[0].visit.last_ms
    for one in rows[1:]:
        if one.visit.first_ms > last_ms + gap_ms:
            yield run
            run = []
        run.append(one)
        last_ms = max(last_ms, one.visit.last_ms)
    yield run
