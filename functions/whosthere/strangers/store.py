"""Rows of strangers: who was seen and is no person; seen again, it is the same stranger.

stranger#<id>      stranger   the stranger
strangers          <id>       its status, to list strangers by one query
picture#<SHA-256>  picture    whose picture these bytes are, wherever they lie
place#<key>        place      the same of a key outside the stranger's own folders
merged#<id>        <id>       who was merged into the stranger of the first id
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.clock import DAY_S
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, Table, WriteRequest, decimals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TableAttributeValueTypeDef

PENDING, IGNORED, NAMED, DISCARDED = "pending", "ignored", "named", "discarded"
MERGED = "merged"
STRANGERS = "strangers"
# The best pictures of a stranger that are kept: one to know him by, some to enroll him with.
MOST_PICTURES = 5
KEEP_DECIDED_S = 365 * DAY_S
EXPIRING_S = 7 * DAY_S  # DynamoDB removes an expired row without a word
MOST_MERGES = 8  # how often one stranger of two can have been merged into another


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a stranger; `file` is its name in each of the stranger's folders.

    `face_id` is its face in the strangers' collection, or empty.
    """

    sha256: str
    etag: str
    captured_ms: int
    camera: str
    score: float
    file: str
    face_id: str = ""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A stranger's row; times in milliseconds, the best picture first.

    `person` is who a named stranger is, `merged_into` the stranger that a merged one is.
    `elsewhere` has the ETags of pictures that lie outside the stranger's folders, by key;
    `decided_ms` is when the status began, `unsettled_ms` since when pictures lie outside the folder
    of the status, or nowhere (0: they lie there), and `decisions` counts the owner's decisions.
    `is_recurring` says whether the stranger was recurring at the latest visit.
    """

    id: str
    cameras: tuple[str, ...]
    first_ms: int
    last_ms: int
    sightings: int
    visits: int
    status: str
    pictures: tuple[Picture, ...] = ()
    face_id: str = ""
    picture_key: str = ""
    person: str = ""
    merged_into: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    decided_ms: int = 0
    unsettled_ms: int = 0
    decisions: int = 0
    is_recurring: bool = False
    version: int = 0

    @property
    def face_ids(self) -> frozenset[str]:
        """Return the stranger's faces in the collection: the first one and those of pictures."""
        found = {self.face_id, *(picture.face_id for picture in self.pictures)}
        return frozenset(found - {""})

    @property
    def is_waiting(self) -> bool:
        """Return whether the owner has still to decide: only then are there alerts."""
        return self.status == PENDING


def stranger_key(stranger: str) -> dict[str, str]:
    """Return the key of a stranger's row."""
    return {"pk": f"stranger#{stranger}", "sk": "stranger"}


def listed_key(stranger: str) -> dict[str, str]:
    """Return the key of the row by which a stranger is listed."""
    return {"pk": STRANGERS, "sk": stranger}


def picture_row_key(sha256: str) -> dict[str, str]:
    """Return the key of the row that says whose a picture is."""
    return {"pk": f"picture#{sha256}", "sk": "picture"}


def place_key(key: str) -> dict[str, str]:
    """Return the key of the row that says whose picture lies under a key in S3."""
    return {"pk": f"place#{key}", "sk": "place"}


def merged_key(into: str, stranger: str) -> dict[str, str]:
    """Return the key of the row by which who was merged into a stranger is found."""
    return {"pk": f"merged#{into}", "sk": stranger}


def read_stranger(table: Table, stranger: str) -> Stranger | None:
    """Return the stranger of that id as he was written, or None."""
    item = dynamodb.read(table, stranger_key(stranger))
    return _stranger(item) if item else None


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
    return [_stranger(item) for item in dynamodb.read_many(table, map(stranger_key, ids))]


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
    expires = _expires(stranger, stranger.last_ms)
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
        "pictures": {one.sha256: _picture_item(one) for one in stranger.pictures},
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


def count_sightings(
    table: Table,
    stranger: Stranger,
    last_ms: int,
    sightings: int,
    *,
    visits: int,
    camera: str,
    is_recurring: bool | None = None,
) -> None:
    """Add sightings and visits at a camera to a stranger's row, if there is one.

    Without `is_recurring` that mark stays as it was read.
    """
    last_ms = max(last_ms, stranger.last_ms)
    expires = _expires(stranger, last_ms)
    _update_if_there(
        table,
        stranger_key(stranger.id),
        "SET lastSeen = :last, recurring = :recurring, expires = :expires"
        " ADD sightings :more, visits :visits, cameras :cameras",
        {
            ":last": last_ms,
            ":expires": expires,
            ":more": sightings,
            ":visits": visits,
            ":cameras": {camera},
            ":recurring": stranger.is_recurring if is_recurring is None else is_recurring,
        },
    )
    if visits:
        _update_if_there(
            table, listed_key(stranger.id), "SET expires = :expires", {":expires": expires}
        )


def count_merged(other: Stranger, merged: Stranger, sign: int) -> list[WriteRequest]:
    """Return what counts a merged stranger's visits as another's, or with -1 no longer.

    To be written at once with the merged one's row, so that no crash loses or doubles a visit.
    """
    last_ms = max(other.last_ms, merged.last_ms)
    expires = _expires(other, last_ms)
    counts: WriteRequest = {
        "Update": {
            "Key": stranger_key(other.id),
            "UpdateExpression": "SET lastSeen = :last, expires = :expires"
            " ADD sightings :more, visits :visits, cameras :cameras",
            "ConditionExpression": "version = :version AND sightings = :read",
            "ExpressionAttributeValues": {
                ":version": other.version,
                ":read": other.sightings,
                ":last": last_ms,
                ":expires": expires,
                ":more": sign * merged.sightings,
                ":visits": sign * merged.visits,
                ":cameras": set(merged.cameras),
            },
        }
    }
    listing = listed_key(other.id) | {"status": other.status}
    return [counts, dynamodb.put({**listing, "expires": expires}, None)]


def _update_if_there(table: Table, key: Mapping[str, str], change: str, values: Attributes) -> None:
    try:
        table.update_item(
            Key=key,
            UpdateExpression=change,
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise


def is_expiring(stranger: Stranger, now_ms: int) -> bool:
    """Return whether a stranger's row may go within days: his faces have to go before it."""
    return _expires(stranger, stranger.last_ms) < now_ms // 1000 + EXPIRING_S


def expiring(table: Table, now_ms: int) -> list[str]:
    """Return the ids of ignored and named strangers whose rows may go within days, sorted."""
    rows = dynamodb.query(table, Key("pk").eq(STRANGERS))
    return sorted(
        row["sk"]
        for row in rows
        if row["status"] in (IGNORED, NAMED) and row.get("expires", 0) < now_ms // 1000 + EXPIRING_S
    )


def _expires(stranger: Stranger, last_ms: int) -> int:
    """Return when the row may go, in seconds; what the owner decided holds a year after a visit."""
    is_decided = stranger.status in (IGNORED, NAMED, MERGED)
    return last_ms // 1000 + (KEEP_DECIDED_S if is_decided else KEEP_ROWS_S)


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


def best_first(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Return pictures, each once, the best first."""
    once = {picture.sha256: picture for picture in pictures}
    return tuple(sorted(once.values(), key=lambda one: (-one.score, one.captured_ms)))


def _picture_item(picture: Picture) -> Attributes:
    return {
        "etag": picture.etag,
        "captured": picture.captured_ms,
        "camera": picture.camera,
        "score": decimals(round(picture.score, 4)),
        "file": picture.file,
        "faceId": picture.face_id,
    }


def _stranger(item: Row) -> Stranger:
    pictures = [
        Picture(
            sha256,
            one["etag"],
            int(one["captured"]),
            one["camera"],
            float(one["score"]),
            one["file"],
            one.get("faceId", ""),
        )
        for sha256, one in item.get("pictures", {}).items()
    ]
    # An earlier version noted the first camera alone.
    cameras = item.get("cameras") or {item["camera"]}
    return Stranger(
        id=item["pk"].partition("#")[2],
        cameras=tuple(sorted(cameras)),
        first_ms=int(item["firstSeen"]),
        last_ms=int(item["lastSeen"]),
        sightings=int(item["sightings"]),
        visits=int(item.get("visits", 0)),
        status=item["status"],
        pictures=best_first(pictures),
        face_id=item.get("faceId", ""),
        picture_key=item.get("pictureKey", ""),
        person=item.get("person", ""),
        merged_into=item.get("mergedInto", ""),
        elsewhere=dict(item.get("elsewhere", {})),
        decided_ms=int(item.get("decidedAt", 0)),
        unsettled_ms=int(item.get("unsettledAt", 0)),
        decisions=int(item.get("decisions", 0)),
        is_recurring=bool(item.get("recurring")),
        version=int(item.get("version", 0)),
    )
