"""Rows of visits: the current one of each person at a camera, and the session's closed ones.

Every write is conditional on the `version` that was read, so of two workers one wins and the
other reads again. The current row of a person guards all visits of that person at the camera:
whoever opens another visit there, even an earlier one that comes late, has to write it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, RowChangedError, Table
from whosthere.geometry import Box
from whosthere.names import STRANGER_PREFIX
from whosthere.visits.index import closed_key, index_keys, index_rows, index_writes
from whosthere.visits.visit import UnsureSightings, Visit


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


def current_key(camera: str, who: str) -> dict[str, str]:
    """Return the key of the current visit of that person or stranger."""
    return {"pk": f"camera#{camera}", "sk": f"visit#{who}"}


def closed_rows(visit: Visit) -> list[Attributes]:
    """Return the rows of a closed visit: its own, then its index rows."""
    return [{**closed_key(visit), **_item(visit)}, *index_rows(visit, is_closed=True)]


def current_visits(table: Table, camera: str) -> dict[str, StoredVisit]:
    """Return the current visits of persons at a camera, by person id."""
    condition = Key("pk").eq(f"camera#{camera}") & Key("sk").between(
        "visit#", f"visit#{STRANGER_PREFIX}"
    )
    found = dynamodb.query(table, condition)
    return {item["who"]: stored_visit(item) for item in found}


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
        dynamodb.write(table, opened, *index_writes(visit))
    elif location.is_late:
        opened = dynamodb.put({**closed_key(visit), **item}, 0)
        touched = dynamodb.touch(current.key, current.version)
        dynamodb.write(table, touched, opened, *index_writes(visit, is_closed=True))
    else:
        closed = [dynamodb.put(row, None) for row in closed_rows(current.visit)]
        opened = dynamodb.put({**current.key, **item}, current.version)
        dynamodb.write(table, opened, *index_writes(visit), *closed)


def indexed_key(row: Row) -> dict[str, str]:
    """Return the key of the visit that an index row stands for."""
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
        requests += index_writes(before.visit)
    try:
        dynamodb.write(table, *requests)
    except RowChangedError:
        return False
    return True


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
            stored = _read(table, indexed_key(found)) if found and is_closed else None
            if stored:
                yield stored


def _read(table: Table, key: dict[str, str]) -> StoredVisit | None:
    item = dynamodb.read(table, key)
    return stored_visit(item) if item else None


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


def stored_visit(item: Row) -> StoredVisit:
    """Return the visit that a row holds."""
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
