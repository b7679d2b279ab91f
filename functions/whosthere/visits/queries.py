"""Queries of visits: of a session or several, the latest of persons, and those in an index."""

from collections.abc import Iterable
from datetime import date
from itertools import product
from operator import attrgetter

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.clock import utc
from whosthere.dynamodb import Row, Table
from whosthere.visits.index import visits_of_day
from whosthere.visits.store import StoredVisit, current_key, indexed_key, stored_visit
from whosthere.visits.visit import Visit

# All attributes of a visit but its `times`.
SHOWN = (
    *("camera", "who", "session", "opened", "first", "last", "sightings", "similarity"),
    *("persons", "box", "boxAt", "alert", "claim", "lease", "captured", "recognised", "sent"),
    *("version", "unsure", "probable"),
)


def last_visits(table: Table, cameras: Iterable[str], persons: Iterable[str]) -> list[Visit]:
    """Return the current visits of persons at cameras but for their `times`, without a query."""
    keys = [current_key(camera, who) for camera, who in product(cameras, persons)]
    return [stored_visit(item).visit for item in dynamodb.read_many(table, keys, SHOWN)]


def visits_of(table: Table, session: str, camera: str) -> list[Visit]:
    """Return all visits of a session at its camera, in order of their first sighting."""
    closed = Key("pk").eq(f"session#{session}") & Key("sk").begins_with("visit#")
    current = Key("pk").eq(f"camera#{camera}") & Key("sk").begins_with("visit#")
    items = [*dynamodb.query(table, closed), *dynamodb.query(table, current)]
    found = [stored_visit(item).visit for item in items if item["session"] == session]
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
    located = [(indexed_key(row), row) for row in rows]
    keys = {(key["pk"], key["sk"]): key for key, _ in located}
    read = dynamodb.read_many(table, keys.values(), SHOWN)
    items = {(item["pk"], item["sk"]): item for item in read}
    found, moved = [], []
    for key, row in located:
        item = items.get((key["pk"], key["sk"]))
        if item and item["opened"] == row["opened"]:
            found.append(stored_visit(item))
        else:
            moved.append(row)
    return found, moved
