"""Rows of visits: the current one of each person at a camera, and the session's closed ones.

Every write is conditional on the `version` that was read, so of two workers one wins
and the other reads again. The current row of a person guards all visits of that person
at the camera: whoever opens another one, also a late one from before, has to write it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb as rows
from whosthere.dynamodb import KEEP_ROWS_S, Table
from whosthere.geometry import Box
from whosthere.visits.visit import CLAIMED, DUE, SENT, Visit

# Ids of strangers sort after ids of persons, so one range leaves them out.
STRANGER_PREFIX = "s-"


@dataclass(frozen=True, slots=True)
class Row:
    """A visit as it lies in the table: under which key, in which version."""

    key: dict[str, str]
    version: int
    visit: Visit


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sighting belongs: the row of its visit or, if there is none yet, what to open.

    `current` is the row that guards; a visit to open is `late` if it lies before it.
    """

    current: Row | None
    row: Row | None
    late: bool = False

    @property
    def is_current(self) -> bool:
        """Whether the sighting belongs to the current visit."""
        return self.row is not None and self.row == self.current


def current_key(camera: str, who: str) -> dict[str, str]:
    """Key of the current visit of that person or stranger."""
    return {"pk": f"camera#{camera}", "sk": f"visit#{who}"}


def closed_key(visit: Visit) -> dict[str, str]:
    """Key of a visit once it is closed."""
    return {
        "pk": f"session#{visit.session}",
        "sk": f"visit#{visit.opened_ms:013d}#{visit.who}",
    }


def past_key(visit: Visit) -> dict[str, str]:
    """Key of the row that finds a closed visit by who and when, whichever session has it."""
    return {"pk": f"camera#{visit.camera}", "sk": _past(visit.who, visit.opened_ms)}


def _past(who: str, moment_ms: int) -> str:
    return f"past#{who}#{moment_ms:013d}"


def current_visits(table: Table, camera: str) -> dict[str, Visit]:
    """The current visits of persons at a camera, by person id."""
    condition = Key("pk").eq(f"camera#{camera}") & Key("sk").between(
        "visit#", f"visit#{STRANGER_PREFIX}"
    )
    found = rows.query(table, condition)
    return {item["who"]: _visit(item) for item in found}


def visits_of(table: Table, session: str, camera: str) -> list[Visit]:
    """All visits of a session at its camera, closed or not, in order of their first sighting."""
    closed = Key("pk").eq(f"session#{session}") & Key("sk").begins_with("visit#")
    current = Key("pk").eq(f"camera#{camera}") & Key("sk").begins_with("visit#")
    items = [*rows.query(table, closed), *rows.query(table, current)]
    found = [_visit(item) for item in items if item["session"] == session]
    return sorted(found, key=lambda visit: visit.first_ms)


def locate(table: Table, who: str, camera: str, moment_ms: int, gap_ms: int) -> Place:
    """Where a sighting at that moment belongs, whichever session it or the visit is of."""
    current = _get(table, current_key(camera, who))
    if current is None or moment_ms > current.visit.last_ms + gap_ms:
        return Place(current, None)
    if moment_ms >= current.visit.first_ms:
        return Place(current, current)
    known = [current, *_neighbours(table, who, camera, moment_ms)]
    fitting = [row for row in known if row.visit.covers(moment_ms, gap_ms)]
    if not fitting:
        return Place(current, None, late=True)
    return Place(current, min(fitting, key=lambda row: row.visit.distance(moment_ms)))


def save(table: Table, place: Place, visit: Visit) -> None:
    """Write the visit at its place; raises RowChangedError if somebody was faster."""
    item = _item(visit)
    current, row = place.current, place.row
    if row is not None:
        rows.write(table, rows.put(row.key | item, row.version))
    elif current is None:
        key = current_key(visit.camera, visit.who)
        rows.write(table, rows.put(key | item, 0))
    elif place.late:
        opened = rows.put(closed_key(visit) | item, 0)
        touched = rows.touch(current.key, current.version)
        rows.write(table, touched, opened, _findable(visit))
    else:
        closed = closed_key(current.visit) | _item(current.visit)
        opened = rows.put(current.key | item, current.version)
        rows.write(table, opened, rows.put(closed, None), _findable(current.visit))


def marking(table: Table, visit: Visit, sent_ms: int) -> Callable[[], object]:
    """A call, ready to be made, that notes that the claimed alert is out.

    ClientError says that it was not noted: refused, or the next visit has moved this one.
    """
    request = _settlement(visit, SENT, sent_ms)
    key = current_key(visit.camera, visit.who)
    return partial(table.update_item, Key=key, **request)


def mark_sent(table: Table, visit: Visit, sent_ms: int) -> None:
    """Note that the claimed alert is out, wherever the visit lies by now."""
    _settle(table, visit, _settlement(visit, SENT, sent_ms))


def release(table: Table, visit: Visit) -> None:
    """Give the claimed alert back, so that a retry need not wait for the lease."""
    _settle(table, visit, _settlement(visit, DUE, 0))


def _settlement(visit: Visit, alert: str, sent_ms: int) -> dict[str, Any]:
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


def _settle(table: Table, visit: Visit, settlement: dict[str, Any]) -> None:
    # The next visit may have opened meanwhile and moved this one.
    for key in (current_key(visit.camera, visit.who), closed_key(visit)):
        try:
            table.update_item(Key=key, **settlement)
            return
        except ClientError as error:
            if not rows.is_lost(error):
                raise


def _findable(visit: Visit) -> dict[str, Any]:
    key = closed_key(visit)
    found_by = {"closedPk": key["pk"], "closedSk": key["sk"], "expires": _expires(visit)}
    return rows.put(past_key(visit) | found_by, None)


def _neighbours(table: Table, who: str, camera: str, moment_ms: int) -> Iterator[Row]:
    """The closed visits around a moment: as visits lie apart, no other one can cover it."""
    camera_is, past = Key("pk").eq(f"camera#{camera}"), f"past#{who}#"
    before = Key("sk").between(past, _past(who, moment_ms))
    after = Key("sk").between(_past(who, moment_ms + 1), f"{past}~")
    for side, ascending in ((before, False), (after, True)):
        found = rows.first(table, camera_is & side, ascending=ascending)
        row = found and _get(table, {"pk": found["closedPk"], "sk": found["closedSk"]})
        if row:
            yield row


def _get(table: Table, key: dict[str, str]) -> Row | None:
    item = rows.read(table, key)
    return _row(item) if item else None


def _item(visit: Visit) -> dict[str, Any]:
    return {
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
        "expires": _expires(visit),
    }


def _expires(visit: Visit) -> int:
    return visit.last_ms // 1000 + KEEP_ROWS_S


def _row(item: dict[str, Any]) -> Row:
    key = {"pk": item["pk"], "sk": item["sk"]}
    return Row(key, int(item["version"]), _visit(item))


def _visit(item: dict[str, Any]) -> Visit:
    return Visit(
        camera=item["camera"],
        who=item["who"],
        session=item["session"],
        opened_ms=int(item["opened"]),
        first_ms=int(item["first"]),
        last_ms=int(item["last"]),
        times=tuple(int(time) for time in item["times"]),
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
    )
