"""Store who is enrolled, under an opaque id that stands in for the name everywhere else."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest

PREFIX = "people/"
NAMELESS = "Somebody you know"


@dataclass(frozen=True, slots=True)
class PhotoObject:
    """A photo in S3 under `people/`: its key, and the person and the file that the key names."""

    key: str
    name: str
    file: str


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """The row of a photo; `orphaned_faces` are replaced faces that are still to be deleted."""

    key: str
    etag: str
    face_id: str
    status: str
    reason: str
    orphaned_faces: tuple[str, ...]
    version: int


def parse_photo_key(key: str) -> PhotoObject | None:
    """Parse an S3 key, `people/<name>/<file>`; return None if it is no photo's."""
    parts = key.split("/")
    if len(parts) != 3 or f"{parts[0]}/" != PREFIX or not parts[1].strip():
        return None
    if not parts[2]:
        return None
    name = unicodedata.normalize("NFC", parts[1]).strip()
    return PhotoObject(key, name, unicodedata.normalize("NFC", parts[2]))


def person_id(name: str, salt: str) -> str:
    """Return the id of a person: it does not reveal the name, and fits an ExternalImageId."""
    written = unicodedata.normalize("NFC", name).strip()
    digest = hmac.digest(salt.encode(), written.encode(), hashlib.sha256)
    return f"p-{digest.hex()[:24]}"


def name_of(table: Table, person: str) -> str:
    """Return the name of a person; NAMELESS if the last photo has just been removed."""
    row = dynamodb.read(table, person_key(person))
    return str(row["name"]) if row else NAMELESS


def person_key(person: str) -> dict[str, str]:
    """Return the key of the one row that holds the person's name."""
    return {"pk": f"person#{person}", "sk": "person"}


def photo_key(person: str, file: str) -> dict[str, str]:
    """Return the key of the row of one of the person's photos."""
    return {"pk": f"person#{person}", "sk": f"photo#{file}"}


def read_photo(table: Table, person: str, file: str) -> PhotoRow | None:
    """Read the row of a photo; None if there is none."""
    item = dynamodb.read(table, photo_key(person, file))
    return _photo_row(item) if item else None


def write_photo(table: Table, person: str, photo: PhotoObject, row: PhotoRow) -> None:
    """Write a photo's row and its person's row.

    Raises RowChangedError if the photo's row is no longer of the version that `row` names.
    """
    item = photo_key(person, photo.file) | {
        "key": row.key,
        "etag": row.etag,
        "faceId": row.face_id,
        "status": row.status,
        "reason": row.reason,
        "stale": list(row.orphaned_faces),
    }
    named: WriteRequest = {
        "Update": {
            "Key": person_key(person),
            # Counts every photo written, so that a worker that removes the person's row
            # notices a photo written in between.
            "UpdateExpression": "SET #name = :name, schemaVersion = :schema ADD version :one",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {
                ":name": photo.name,
                ":one": 1,
                ":schema": dynamodb.SCHEMA,
            },
        }
    }
    dynamodb.write(table, named, dynamodb.put(item, row.version))


def remove_photo(table: Table, person: str, file: str, version: int) -> None:
    """Remove a photo's row, and with the last photo the person's row.

    Raises RowChangedError if one of the two rows has changed meanwhile.
    """
    owner = dynamodb.read(table, person_key(person))
    condition = Key("pk").eq(f"person#{person}") & Key("sk").begins_with("photo#")
    others = [
        item
        for item in dynamodb.query(table, condition)
        if item["sk"] != photo_key(person, file)["sk"]
    ]
    requests = [dynamodb.delete(photo_key(person, file), version)]
    if owner and not others:
        requests.append(dynamodb.delete(person_key(person), int(owner["version"])))
    elif owner:
        # Two workers that remove the last two photos at once must not each see the other's.
        requests.append(dynamodb.touch(person_key(person), int(owner["version"])))
    dynamodb.write(table, *requests)


def _photo_row(item: Row) -> PhotoRow:
    return PhotoRow(
        key=item["key"],
        etag=item["etag"],
        face_id=item["faceId"],
        status=item["status"],
        reason=item["reason"],
        orphaned_faces=tuple(item["stale"]),
        version=int(item["version"]),
    )
