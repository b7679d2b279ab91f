"""Index rows of visits: by UTC day, and by person or stranger.

They are written when a visit opens. Once it is closed they say where its row is; until then it
is the current one.
"""

from collections.abc import Iterator

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.clock import utc
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, Table, WriteRequest
from whosthere.visits.visit import Visit

# Of an id in the sort key of a day, in characters of up to four bytes: the key has at most 1,024
# bytes. Ids of ours are much shorter; a face of somebody else's collection may have any.
ID_LENGTH = 240
# A small one takes as long as a large one's first hundreds, and cameras would need one each.
ROWS_OF_QUERY = 500


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


def index_rows(visit: Visit, *, is_closed: bool) -> list[Attributes]:
    """Return the index rows of a visit."""
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


def index_writes(visit: Visit, *, is_closed: bool = False) -> list[WriteRequest]:
    """Return the writes of a visit's index rows."""
    return [dynamodb.put(row, None) for row in index_rows(visit, is_closed=is_closed)]
