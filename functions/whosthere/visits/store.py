"""Rows of visits: the current one of each person at a camera, and the session's closed ones.

Every write is conditional on the `version` that was read, so of two workers one wins and the
other reads again. The current row of a person guards all visits of that person at the camera:
whoever opens another visit there, even an earlier one that comes late, has to write it.

Two index rows, by day and by person or stranger, are written when a visit opens. Once it is
closed they say where its row is; until then it is the current one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import product
from operator import attrgetter
from typing import TypedDict

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.clock import utc
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, RowChangedError, Table, WriteRequest
from whosthere.geometry import Box
from whosthere.names import STRANGER_PREFIX
from whosthere.visits.visit import CLAIMED, DUE, SENT, UnsureSightings, Visit

# Of an id in the sort key of a day, in characters of up to four bytes: the key has at most 1,024
# bytes. Ids of ours are much shorter; a face of somebody else's collection may have any.
ID_LENGTH = 240
# A small one takes as long as a large one's first hundreds, and cameras would need one each.
ROWS_OF_QUERY = 500
# All attributes of a visit but its `times`.
SHOWN = (
    *("camera", "who", "session", "opened", "first", "last", "sightings", "similarity"),
    *("persons", "box", "boxAt", "alert", "claim", "lease", "captured", "recognised", "sent"),
    *("version", "unsure", "probable"),
)


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """A visit in the table: under which key, in which version."""

    key: dict[str, str]
    version: int
    visit: Visit


@dataclass(frozen=True, slots=True)
class VisitLocation:
    """Where a sighting belongs: the stored visit, or None if a visit has to be opened.

    `current` is the optimistic-lock row. `is_late`: the new visit is older than the current one.
    """

    current: StoredVisit | None
    stored: StoredVisit | None
    is_late: bool = False


class Settlement(TypedDict):
    """How a claimed alert's row changes once the alert is sent or released."""

    UpdateExpression: str
    ConditionExpression: str
    ExpressionAttributeValues: Attributes


def current_key(camera: str, who: str) -> dict[str, str]:
    """Return the key of the current visit of that person or stranger."""
    return {"pk": f"camera#{camera}", "sk": f"visit#{who}"}


def closed_key(visit: Visit) -> dict[str, str]:
    """Return the key of a visit once it is closed."""
    return {
        "pk": f"session#{visit.session}",
        "sk": f"visit#{visit.opened_ms:013d}#{visit.who}",
    }


def index_keys(visit: Visit) -> tuple[dict[str, str], dict[str, str]]:
    """Return the keys of a visit's index rows: of its UTC day, and of its person or stranger."""
    opened = f"{visit.opened_ms:013d}"
    return (
        {
            "pk": f"day#{utc(visit.opened_ms).date().isoformat()}",
            "sk": f"{opened}#{visit.camera}#{visit.who[:ID_LENGTH]}",
        },
        {"pk": f"visits#{visit.who}", "sk": f"{visit.camera}#{opened}"},
    )


def closed_rows(visit: Visit) -> list[Attributes]:
    """Return the rows of a closed visit: its own, then its index rows."""
    return [{**closed_key(visit), **_item(visit)}, *_index_rows(visit, is_closed=True)]


def current_visits(table: Table, camera: str) -> dict[str, StoredVisit]:
    """Return the current visits of persons at a camera, by person id."""
    condition = Key("pk").eq(f"camera#{camera}") & Key("sk").between(
        "visit#", f"visit#{STRANGER_PREFIX}"
    )
    found = dynamodb.query(table, condition)
    return {item["who"]: _stored(item) for item in found}


def last_visits(table: Table, cameras: Iterable[str], persons: Iterable[str]) -> list[Visit]:
    """Return the current visits of persons at cameras but for their `times`, without a query."""
    keys = [current_key(camera, who) for camera, who in product(cameras, persons)]
    return [_stored(item).visit for item in dynamodb.read_many(table, keys, SHOWN)]


def visits_of(table: Table, session: str, camera: str) -> list[Visit]:
    """Return all visits of a session at its camera, in order of their first sighting."""
    closed = Key("pk").eq(f"session#{session}") & Key("sk").begins_with("visit#")
    current = Key("pk").eq(f"camera#{camera}") & Key("sk").begins_with("visit#")
    items = [*dynamodb.query(table, closed), *dynamodb.query(table, current)]
    found = [_stored(item).visit for item in items if item["session"] == session]
    return sorted(found, key=attrgetter("first_ms"))


def visits_of_sessions(
    table: Table, sessions: Iterable[str], since_ms: int, now_ms: int
) -> list[Visit]:
    """Return the visits of sessions that opened since then, but for their `times`.

    A query for each UTC day, however many sessions there are.
    """
    ids = set(sessions)
    closed_in = {f"session#{one}" for one in ids}
    days = range(utc(since_ms).toordinal(), utc(now_ms).toordinal() + 1 if ids else 0)
    rows = [
        row
        for number in days
        for row in visits_of_day(table, date.fromordinal(number).isoformat(), since_ms, now_ms)
        if "closedPk" not in row or row["closedPk"] in closed_in
    ]
    found = read_indexed(table, rows)
    return [one.visit for one in found if one.visit.session in ids]


def read_current(table: Table, camera: str, who: str) -> StoredVisit | None:
    """Return the current visit of that person or stranger, or None."""
    return _read(table, current_key(camera, who))


def read_stored(table: Table, visit: Visit) -> StoredVisit | None:
    """Return a visit as it was written last, wherever its row is by now; None if it is gone."""
    for key in (current_key(visit.camera, visit.who), closed_key(visit)):
        stored = _read(table, key)
        if stored and stored.visit.opened_ms == visit.opened_ms:
            return stored
    return None


def find_visit(
    table: Table, current: StoredVisit | None, moment_ms: int, gap_ms: int
) -> VisitLocation:
    """Return where a sighting at that moment belongs, in whichever session.

    `current` is the current visit as it was read last: if it changed since, the write fails.
    """
    if current is None or moment_ms > current.visit.last_ms + gap_ms:
        return VisitLocation(current, None)
    if moment_ms >= current.visit.first_ms:
        return VisitLocation(current, current)
    known = [current, *_neighbours(table, current.visit, moment_ms)]
    fitting = [stored for stored in known if stored.visit.covers(moment_ms, gap_ms)]
    if not fitting:
        return VisitLocation(current, None, is_late=True)
    nearest = min(fitting, key=lambda stored: stored.visit.distance(moment_ms))
    return VisitLocation(current, nearest)


def save_visit(table: Table, location: VisitLocation, visit: Visit) -> None:
    """Write the visit at its location; raise RowChangedError if another worker was faster."""
    item = _item(visit)
    current, stored = location.current, location.stored
    if stored is not None:
        dynamodb.write(table, dynamodb.put({**stored.key, **item}, stored.version))
    elif current is None:
        opened = dynamodb.put({**current_key(visit.camera, visit.who), **item}, 0)
        dynamodb.write(table, opened, *_index(visit))
    elif location.is_late:
        opened = dynamodb.put({**closed_key(visit), **item}, 0)
        touched = dynamodb.touch(current.key, current.version)
        dynamodb.write(table, touched, opened, *_index(visit, is_closed=True))
    else:
        closed = [dynamodb.put(row, None) for row in closed_rows(current.visit)]
        opened = dynamodb.put({**current.key, **item}, current.version)
        dynamodb.write(table, opened, *_index(visit), *closed)


def visits_of_day(table: Table, day: str, from_ms: int, to_ms: int) -> list[Row]:
    """Return the index rows of visits that opened on that UTC day, in a span without its end."""
    opened = Key("sk").between(f"{from_ms:013d}", f"{to_ms - 1:013d}#~")
    return dynamodb.query(table, Key("pk").eq(f"day#{day}") & opened)


def visits_of_one(table: Table, who: str, from_ms: int, to_ms: int, newest: int) -> Iterator[Row]:
    """Yield the index rows of the newest visits of a person or stranger, at each camera.

    A query goes from the last camera backwards; of one that has more rows than are wanted the
    next one leaves out the rest. So there are at most as many queries as the index rows fill.
    """
    limit = max(newest, ROWS_OF_QUERY)
    bound, camera, found = "~", "", 0
    while bound:
        condition = Key("pk").eq(f"visits#{who}") & Key("sk").lt(bound)
        rows, is_more = dynamodb.page(table, condition, ascending=False, limit=limit)
        bound = ""
        for row in rows:
            if row["camera"] != camera:
                camera, found = row["camera"], 0
            if from_ms <= row["opened"] < to_ms:
                found += 1
                yield row
        if is_more:
            last = int(rows[-1]["opened"])
            is_enough = found >= newest or last < from_ms
            bound = f"{camera}#" if is_enough else f"{camera}#{min(last, to_ms):013d}"


def read_indexed(table: Table, rows: Iterable[Row]) -> list[StoredVisit]:
    """Return the visits that index rows stand for, in no order.

    Without their `times`, which are most of a row: these are to be shown, not to be written.
    """
    found, moved = _at(table, rows)
    if moved:  # closed since their index rows were read, which happens once; or deleted
        keys = [{"pk": row["pk"], "sk": row["sk"]} for row in moved]
        found += _at(table, dynamodb.read_many(table, keys))[0]
    return found


def _at(table: Table, rows: Iterable[Row]) -> tuple[list[StoredVisit], list[Row]]:
    """Return the visits where index rows say they are, and the rows whose visit is not there."""
    located = [(_indexed_key(row), row) for row in rows]
    keys = {(key["pk"], key["sk"]): key for key, _ in located}
    read = dynamodb.read_many(table, keys.values(), SHOWN)
    items = {(item["pk"], item["sk"]): item for item in read}
    found, moved = [], []
    for key, row in located:
        item = items.get((key["pk"], key["sk"]))
        if item and item["opened"] == row["opened"]:
            found.append(_stored(item))
        else:
            moved.append(row)
    return found, moved


def _indexed_key(row: Row) -> dict[str, str]:
    if "closedPk" in row:
        return {"pk": row["closedPk"], "sk": row["closedSk"]}
    return current_key(row["camera"], row["who"])


def delete_visit(table: Table, stored: StoredVisit) -> bool:
    """Delete a visit with its index rows; return False if it has changed since it was read.

    The visit before a current one becomes the current one: it guards those that are left.
    """
    before = None
    if stored.key == current_key(stored.visit.camera, stored.visit.who):
        known = _neighbours(table, stored.visit, stored.visit.opened_ms - 1)
        before = max(known, key=lambda one: one.visit.opened_ms, default=None)
    requests = [dynamodb.delete(key, None) for key in index_keys(stored.visit)]
    if before is None:
        requests.append(dynamodb.delete(stored.key, stored.version))
    else:
        requests.append(dynamodb.put({**stored.key, **_item(before.visit)}, stored.version))
        requests.append(dynamodb.delete(before.key, before.version))
        requests += _index(before.visit)
    try:
        dynamodb.write(table, *requests)
    except RowChangedError:
        return False
    return True


def prepare_mark(table: Table, visit: Visit, sent_ms: int) -> Callable[[], object]:
    """Return a call, ready to be made, that marks the claimed alert as sent.

    It raises ClientError if the mark was refused, or if the next visit has moved this row.
    """
    key = current_key(visit.camera, visit.who)
    return partial(table.update_item, Key=key, **_settlement(visit, SENT, sent_ms))


def mark_sent(table: Table, visit: Visit, sent_ms: int) -> None:
    """Mark the claimed alert as sent, wherever the visit's row is by now."""
    _settle(table, visit, _settlement(visit, SENT, sent_ms))


def release_claim(table: Table, visit: Visit) -> None:
    """Release the claimed alert, so that a retry need not wait for the lease."""
    _settle(table, visit, _settlement(visit, DUE, 0))


def _settlement(visit: Visit, alert: str, sent_ms: int) -> Settlement:
    return {
        "UpdateExpression": "SET alert = :alert, lease = :none, sent = :sent ADD version :one",
        "ConditionExpression": "claim = :claim AND alert = :claimed",
        "ExpressionAttributeValues": {
            ":alert": alert,
            ":sent": sent_ms,
            ":none": 0,
            ":one": 1,
            ":claim": visit.claim,
            ":claimed": CLAIMED,
        },
    }


def _settle(table: Table, visit: Visit, settlement: Settlement) -> None:
    # The next visit may have opened meanwhile and moved this one.
    for key in (current_key(visit.camera, visit.who), closed_key(visit)):
        try:
            table.update_item(Key=key, **settlement)
            return
        except ClientError as error:
            if not dynamodb.is_lost(error):
                raise


def _index_rows(visit: Visit, *, is_closed: bool) -> list[Attributes]:
    row: dict[str, str | int] = {
        "camera": visit.camera,
        "who": visit.who,
        "opened": visit.opened_ms,
        "expires": visit.last_ms // 1000 + KEEP_ROWS_S,
    }
    if is_closed:
        key = closed_key(visit)
        row |= {"closedPk": key["pk"], "closedSk": key["sk"]}
    return [{**key, **row} for key in index_keys(visit)]


def _index(visit: Visit, *, is_closed: bool = False) -> list[WriteRequest]:
    return [dynamodb.put(row, None) for row in _index_rows(visit, is_closed=is_closed)]


def _neighbours(table: Table, visit: Visit, moment_ms: int) -> Iterator[StoredVisit]:
    """Yield the closed visits around a moment: as visits lie apart, no other can cover it."""
    for pk, prefix in (
        (f"visits#{visit.who}", f"{visit.camera}#"),
        (f"camera#{visit.camera}", f"past#{visit.who}#"),  # rows of version 0.1.0
    ):
        before = Key("sk").between(prefix, f"{prefix}{moment_ms:013d}")
        after = Key("sk").between(f"{prefix}{moment_ms + 1:013d}", f"{prefix}~")
        for side, ascending in ((before, False), (after, True)):
            found = dynamodb.first(table, Key("pk").eq(pk) & side, ascending=ascending)
            is_closed = found is not None and "closedPk" in found
            stored = _read(table, _indexed_key(found)) if found and is_closed else None
            if stored:
                yield stored


def _read(table: Table, key: dict[str, str]) -> StoredVisit | None:
    item = dynamodb.read(table, key)
    return _stored(item) if item else None


def _item(visit: Visit) -> Attributes:
    unsure = visit.unsure
    more = _unsure_item(visit) if unsure.sightings or unsure.is_doubted else {}
    return {
        **more,
        "camera": visit.camera,
        "who": visit.who,
        "session": visit.session,
        "opened": visit.opened_ms,
        "first": visit.first_ms,
        "last": visit.last_ms,
        "times": list(visit.times),
        "sightings": visit.sightings,
        "similarity": Decimal(str(round(visit.similarity, 2))),
        "persons": list(visit.persons),
        "box": visit.box.to_row(),
        "boxAt": visit.box_ms,
        "alert": visit.alert,
        "claim": visit.claim,
        "lease": visit.lease_ms,
        "captured": visit.captured_ms,
        "recognised": visit.recognised_ms,
        "sent": visit.sent_ms,
        "expires": visit.last_ms // 1000 + KEEP_ROWS_S,
    }


def _unsure_item(visit: Visit) -> Attributes:
    """Return what only a visit with unsure sightings has in its row."""
    unsure = visit.unsure
    return {
        "unsure": {
            "times": list(unsure.times),
            "sightings": unsure.sightings,
            "similarity": Decimal(str(round(unsure.similarity, 2))),
            "doubted": unsure.is_doubted,
        },
        "probable": visit.is_probable,
    }


def _unsure(row: Row) -> UnsureSightings:
    return UnsureSightings(
        times=tuple([int(time) for time in row["times"]]),
        sightings=int(row["sightings"]),
        similarity=float(row["similarity"]),
        is_doubted=bool(row["doubted"]),
    )


def _stored(item: Row) -> StoredVisit:
    visit = Visit(
        camera=item["camera"],
        who=item["who"],
        session=item["session"],
        opened_ms=int(item["opened"]),
        first_ms=int(item["first"]),
        last_ms=int(item["last"]),
        times=tuple([int(time) for time in item.get("times", ())]),
        sightings=int(item["sightings"]),
        similarity=float(item["similarity"]),
        persons=tuple(item["persons"]),
        box=Box.from_row(item["box"]),
        box_ms=int(item["boxAt"]),
        alert=item["alert"],
        claim=item["claim"],
        lease_ms=int(item["lease"]),
        captured_ms=int(item["captured"]),
        recognised_ms=int(item["recognised"]),
        sent_ms=int(item["sent"]),
        unsure=_unsure(item["unsure"]) if "unsure" in item else UnsureSightings(),
        is_probable=item.get("probable", False),
    )
    key = {"pk": item["pk"], "sk": item["sk"]}
    return StoredVisit(key, int(item["version"]), visit)
