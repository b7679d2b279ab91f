"""Reads and writes of strangers: seen again, it is the same stranger."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.clock import DAY_S
from whosthere.dynamodb import Table, WriteRequest
from whosthere.strangers.stranger import (
    DISCARDED,
    IGNORED,
    MERGED,
    NAMED,
    STRANGERS,
    Picture,
    Stranger,
    expires_at,
    listed_key,
    merged_key,
    picture_item,
    picture_row_key,
    place_key,
    stranger_key,
    stranger_of_row,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableAttributeValueTypeDef

EXPIRING_S = 7 * DAY_S  # DynamoDB removes an expired row without a word
MOST_MERGES = 8  # how often one stranger of two can have been merged into another


def read_stranger(table: Table, stranger: str) -> Stranger | None:
    """Return the stranger of that id as he was written, or None."""
    item = dynamodb.read(table, stranger_key(stranger))
    return stranger_of_row(item) if item else None


def who_is(table: Table, stranger: str) -> Stranger | None:
    """Return the stranger of that id or, if he was merged into another, that one."""
    found = read_stranger(table, stranger)
    for _ in range(MOST_MERGES):
        if found is None or found.status != MERGED:
            break
        found = read_stranger(table, found.merged_into)
    return found


def listed(table: Table) -> dict[str, str]:
    """Return the status of each stranger, by id."""
    rows = dynamodb.query(table, Key("pk").eq(STRANGERS))
    return {row["sk"]: row["status"] for row in rows}


def list_strangers(table: Table, *statuses: str) -> list[Stranger]:
    """Return the strangers of these statuses, who was seen last first."""
    ids = [id for id, status in listed(table).items() if status in statuses]
    found = [one for one in read_strangers(table, ids) if one.status in statuses]
    return sorted(found, key=lambda stranger: -stranger.last_ms)


def read_strangers(table: Table, ids: Iterable[str]) -> list[Stranger]:
    """Return the strangers of these ids that there are, in no order."""
    return [stranger_of_row(item) for item in dynamodb.read_many(table, map(stranger_key, ids))]


def ids_of(table: Table, stranger: str) -> set[str]:
    """Return the stranger's id and those of all who were merged into that one, by a query each."""
    found, left = {stranger}, [stranger]
    while left:
        rows = dynamodb.query(table, Key("pk").eq(merged_key(left.pop(), "")["pk"]))
        new = {str(row["sk"]) for row in rows} - found
        found |= new
        left += new
    return found


def merged_with(table: Table, stranger: str) -> list[Stranger]:
    """Return who was merged into a stranger; a worker may have died while it forgot one."""
    found = [
        read_stranger(table, id)
        for id, status in listed(table).items()
        if status in (MERGED, DISCARDED)
    ]
    return [one for one in found if one and one.merged_into == stranger]


def stranger_of_picture(table: Table, sha256: str) -> str | None:
    """Return whose picture these bytes are, or None."""
    row = dynamodb.read(table, picture_row_key(sha256))
    return str(row["stranger"]) if row else None


def stranger_of_place(table: Table, key: str) -> str | None:
    """Return whose picture was found under a key outside his folders, or None."""
    row = dynamodb.read(table, place_key(key))
    return str(row["stranger"]) if row else None


def save_stranger(
    table: Table,
    before: Stranger | None,
    stranger: Stranger,
    *,
    new_picture: str = "",
    also: Sequence[WriteRequest] = (),
) -> None:
    """Write a stranger's row, as it is listed, and whose `new_picture` is.

    With `also`, other writes at once, the stranger must not have been seen meanwhile.

    With another status all pictures are noted again: their rows go when the stranger's does.
    Raises RowChangedError if the row is no longer as it was read. Sightings are counted by
    count_sightings alone, which does not change the version.
    """
    expires = expires_at(stranger, stranger.last_ms)
    writes = [_update(before, stranger, expires, is_exact=bool(also))]
    # An earlier version, whose rows have no version, listed nobody.
    if before is None or not before.version or before.status != stranger.status:
        listing = listed_key(stranger.id) | {"status": stranger.status}
        writes.append(dynamodb.put({**listing, "expires": expires}, None))
        noted = {new_picture, *(picture.sha256 for picture in stranger.pictures)}
    else:
        noted = {new_picture}
    writes += _merged_rows(before, stranger, expires)
    for sha256 in sorted(noted - {""}):
        whose = picture_row_key(sha256) | {"stranger": stranger.id}
        writes.append(dynamodb.put({**whose, "expires": expires}, None))
    dynamodb.write(table, *writes, *also)


def _merged_rows(before: Stranger | None, stranger: Stranger, expires: int) -> list[WriteRequest]:
    """Return the changes of the rows that find a stranger by whom he was merged into."""
    was, into = before.merged_into if before else "", stranger.merged_into
    writes = []
    if was and was != into:
        writes.append(dynamodb.delete(merged_key(was, stranger.id), None))
    if into and into != was:
        row = merged_key(into, stranger.id) | {"stranger": stranger.id}
        writes.append(dynamodb.put({**row, "expires": expires}, None))
    return writes


def _update(
    before: Stranger | None, stranger: Stranger, expires: int, *, is_exact: bool
) -> WriteRequest:
    values: dict[str, TableAttributeValueTypeDef] = {
        "status": stranger.status,
        "faceId": stranger.face_id,
        "pictureKey": stranger.picture_key,
        "person": stranger.person,
        "mergedInto": stranger.merged_into,
        "pictures": {one.sha256: picture_item(one) for one in stranger.pictures},
        "elsewhere": dict(stranger.elsewhere),
        "decidedAt": stranger.decided_ms,
        "unsettledAt": stranger.unsettled_ms,
        "decisions": stranger.decisions,
        "expires": expires,
        "schemaVersion": dynamodb.SCHEMA,
    }
    if before is None:
        values |= {"firstSeen": stranger.first_ms, "lastSeen": stranger.last_ms, "sightings": 0}
        values |= {"visits": 0, "cameras": set(stranger.cameras)}
    names = {f"#{number}": name for number, name in enumerate(values)}
    given = {f":{number}": value for number, value in enumerate(values.values())}
    assigned = ", ".join(f"#{number} = :{number}" for number in range(len(values)))
    read = "version = :read" if before and before.version else "attribute_not_exists(version)"
    if before and before.version:
        given[":read"] = before.version
    if before and is_exact:
        read += " AND sightings = :sightings"
        given[":sightings"] = before.sightings
    return {
        "Update": {
            "Key": stranger_key(stranger.id),
            "UpdateExpression": f"SET {assigned} ADD version :one",
            "ConditionExpression": read,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": given | {":one": 1},
        }
    }


def is_expiring(stranger: Stranger, now_ms: int) -> bool:
    """Return whether a stranger's row may go within days: his faces have to go before it."""
    return expires_at(stranger, stranger.last_ms) < now_ms // 1000 + EXPIRING_S


def expiring(table: Table, now_ms: int) -> list[str]:
    """Return the ids of ignored and named strangers whose rows may go within days, sorted."""
    rows = dynamodb.query(table, Key("pk").eq(STRANGERS))
    return sorted(
        row["sk"]
        for row in rows
        if row["status"] in (IGNORED, NAMED) and row.get("expires", 0) < now_ms // 1000 + EXPIRING_S
    )


def note_place(table: Table, key: str, stranger: str) -> None:
    """Note whose picture lies under a key outside his folders."""
    table.put_item(Item=place_key(key) | dynamodb.STAMP | {"stranger": stranger})


def remove_places(table: Table, keys: Iterable[str]) -> None:
    """Remove what was noted of keys at which no picture lies any more."""
    for key in keys:
        table.delete_item(Key=place_key(key))


def remove_pictures(table: Table, pictures: Iterable[Picture]) -> None:
    """Remove what says whose these pictures are."""
    for picture in pictures:
        table.delete_item(Key=picture_row_key(picture.sha256))


def remove_stranger(table: Table, stranger: Stranger) -> None:
    """Remove all rows of a stranger; raise RowChangedError if his has changed meanwhile."""
    remove_pictures(table, stranger.pictures)
    remove_places(table, stranger.elsewhere)
    requests = [
        dynamodb.delete(stranger_key(stranger.id), stranger.version),
        dynamodb.delete(listed_key(stranger.id), None),
    ]
    if stranger.merged_into:
        requests.append(dynamodb.delete(merged_key(stranger.merged_into, stranger.id), None))
    dynamodb.write(table, *requests)
