"""Rows of visits: the current one of each person at a camera, and the session's closed ones.

Every write is conditional on the `version` that was read, so of two workers one wins and the
other reads again. The current row of a person guards all visits of that person at the camera:
whoever opens another visit there, even an earlier one that comes late, has to write it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import TypedDict

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, Table, WriteRequest
from whosthere.geometry import Box
from whosthere.names import STRANGER_PREFIX
from whosthere.visits.visit import CLAIMED, DUE, SENT, UnsureSightings, Visit


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


def past_key(visit: Visit) -> dict[str, str]:
    """Return the key of the row that finds a closed visit by who and when, in any session."""
    return {"pk": f"camera#{visit.camera}", "sk": _past(visit.who, visit.opened_ms)}


def _past(who: str, moment_ms: int) -> str:
    return f"past#{who}#{moment_ms:013d}"


def current_visits(table: Table, camera: str) -> dict[str, StoredVisit]:
    """Return the current visits of persons at a camera, by person id."""
    condition = Key("pk").eq(f"camera#{camera}") & Key("sk").between(
        "visit#", f"visit#{STRANGER_PREFIX}"
    )
    found = dynamodb.query(table, condition)
    return {item["who"]: _stored(item) for item in found}


def visits_of(table: Table, session: str, camera: str) -> list[Visit]:
    """Return all visits of a session at its camera, in order of their first sighting."""
    closed = Key("pk").eq(f"session#{session}") & Key("sk").begins_with("visit#")
    current = Key("pk").eq(f"camera#{camera}") & Key("sk").begins_with("visit#")
    items = [*dynamodb.query(table, closed), *dynamodb.query(table, current)]
    found = [_stored(item).visit for item in items if item["session"] == session]
    return sorted(found, key=attrgetter("first_ms"))


def read_current(table: Table, camera: str, who: str) -> StoredVisit | None:
    """Return the current visit of that person or stranger, or None."""
    return _read(table, current_key(camera, who))


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
        key = current_key(visit.camera, visit.who)
        dynamodb.write(table, dynamodb.put({**key, **item}, 0))
    elif location.is_late:
        opened = dynamodb.put({**closed_key(visit), **item}, 0)
        touched = dynamodb.touch(current.key, current.version)
        dynamodb.write(table, touched, opened, _past_row(visit))
    else:
        closed = dynamodb.put({**closed_key(current.visit), **_item(current.visit)}, None)
        opened = dynamodb.put({**current.key, **item}, current.version)
        dynamodb.write(table, opened, closed, _past_row(current.visit))


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


def _past_row(visit: Visit) -> WriteRequest:
    key = closed_key(visit)
    expires = visit.last_ms // 1000 + KEEP_ROWS_S
    found_by = {"closedPk": key["pk"], "closedSk": key["sk"]}
    return dynamodb.put({**past_key(visit), **found_by, "expires": expires}, None)


def _neighbours(table: Table, visit: Visit, moment_ms: int) -> Iterator[StoredVisit]:
    """Yield the closed visits around a moment: as visits lie apart, no other can cover it."""
    who = visit.who
    camera_is, past = Key("pk").eq(f"camera#{visit.camera}"), f"past#{who}#"
    before = Key("sk").between(past, _past(who, moment_ms))
    after = Key("sk").between(_past(who, moment_ms + 1), f"{past}~")
    for side, ascending in ((before, False), (after, True)):
        found = dynamodb.first(table, camera_is & side, ascending=ascending)
        stored = found and _read(table, {"pk": found["closedPk"], "sk": found["closedSk"]})
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
        times=tuple([int(time) for time in item["times"]]),
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
