"""Rows of strangers: who was seen and is no person; seen again, it is the same stranger."""

from dataclasses import dataclass

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import KEEP_ROWS_S, Table

PENDING, IGNORED, NAMED, DISCARDED = "pending", "ignored", "named", "discarded"


@dataclass(frozen=True, slots=True)
class Stranger:
    """A stranger's row; times in milliseconds."""

    id: str
    camera: str
    first_ms: int
    last_ms: int
    sightings: int
    picture_key: str
    face_id: str
    status: str

    @property
    def is_ignored(self) -> bool:
        """Return whether the owner decided to get no more alerts about this stranger."""
        return self.status in (IGNORED, NAMED)


def stranger_key(stranger: str) -> dict[str, str]:
    """Return the key of a stranger's row."""
    return {"pk": f"stranger#{stranger}", "sk": "stranger"}


def read_stranger(table: Table, stranger: str) -> Stranger | None:
    """Return the stranger of that id, or None."""
    item = dynamodb.read(table, stranger_key(stranger))
    if item is None:
        return None
    return Stranger(
        id=stranger,
        camera=item["camera"],
        first_ms=int(item["firstSeen"]),
        last_ms=int(item["lastSeen"]),
        sightings=int(item["sightings"]),
        picture_key=item.get("pictureKey", ""),
        face_id=item.get("faceId", ""),
        status=item["status"],
    )


def save_stranger(
    table: Table, stranger: str, camera: str, *, face_id: str, picture_key: str, moment_ms: int
) -> None:
    """Write the row of a stranger who waits for a decision, with the newest picture."""
    values: dict[str, str | int] = {
        ":pending": PENDING,
        ":expires": moment_ms // 1000 + KEEP_ROWS_S,
        ":camera": camera,
        ":moment": moment_ms,
        ":none": 0,
        ":schema": dynamodb.SCHEMA,
        ":face": face_id,
    }
    if picture_key:
        values[":picture"] = picture_key
    table.update_item(
        Key=stranger_key(stranger),
        UpdateExpression="SET #status = :pending, expires = :expires, schemaVersion = :schema,"
        " camera = if_not_exists(camera, :camera),"
        " firstSeen = if_not_exists(firstSeen, :moment),"
        " lastSeen = if_not_exists(lastSeen, :moment),"
        " sightings = if_not_exists(sightings, :none),"
        " faceId = if_not_exists(faceId, :face)"
        + (", pictureKey = :picture" if picture_key else ""),
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues=values,
    )


def count_sightings(table: Table, stranger: str, last_ms: int, sightings: int) -> None:
    """Add sightings to a stranger's row, if there is one."""
    try:
        table.update_item(
            Key=stranger_key(stranger),
            UpdateExpression="SET lastSeen = :last ADD sightings :more",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":last": last_ms, ":more": sightings},
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise
