"""Store who is enrolled, under an opaque id that stands in for the name everywhere else.

Each key in S3 has a row and a face of its own: of keys that differ only in their code points
several may lie there, and name one person.
"""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest
from whosthere.names import PHOTO_MARK

PREFIX = "people/"
PEOPLE = "people"
NAMELESS = "Somebody you know"
MISPLACED = "A photo has to lie in the folder of its person: people/<name>/<file>."


@dataclass(frozen=True, slots=True)
class PhotoObject:
    """A photo in S3 under `people/`: its key, and the person whom the key names."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """The row of a photo; `orphaned_faces` are replaced faces that are still to be deleted.

    `sha256` is of the photo's bytes; empty in a row that an earlier version wrote.
    """

    key: str
    etag: str
    sha256: str
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
    return PhotoObject(key, unicodedata.normalize("NFC", parts[1]).strip())


def person_id(name: str, salt: str) -> str:
    """Return the id of a person: it does not reveal the name, and fits an ExternalImageId."""
    written = unicodedata.normalize("NFC", name).strip()
    return f"p-{_digest(written, salt)[:24]}"


def face_label(photo: PhotoObject, salt: str) -> str:
    """Return the ExternalImageId of a photo's face: the person's id, and which photo it is.

    IndexFaces stores one face for the same picture under the same ExternalImageId, and a photo
    that is removed would take the face of its copy along.
    """
    return f"{person_id(photo.name, salt)}{PHOTO_MARK}{_digest(photo.key, salt)[:16]}"


def _digest(text: str, salt: str) -> str:
    return hmac.digest(salt.encode(), text.encode(), hashlib.sha256).hex()


def name_of(table: Table, person: str) -> str:
    """Return the name of a person; NAMELESS if the last photo has just been removed."""
    row = dynamodb.read(table, person_key(person)) or dynamodb.read(table, _old_key(person))
    return str(row["name"]) if row else NAMELESS


def person_key(person: str) -> dict[str, str]:
    """Return the key of the one row that holds the person's name."""
    return {"pk": PEOPLE, "sk": person}


def photo_key(person: str, key: str) -> dict[str, str]:
    """Return the key of the row of one of the person's photos, by its key in S3.

    Without the folder of all: a sort key may be as long as a key in S3, and no longer.
    """
    return {"pk": f"person#{person}", "sk": f"photo#{key.removeprefix(PREFIX)}"}


def _old_key(person: str, key: str = "") -> dict[str, str]:
    """Return the key that a row of the first schema has: a person's, or of the photo of a key."""
    file = unicodedata.normalize("NFC", key.rpartition("/")[2])
    return {"pk": f"person#{person}", "sk": f"photo#{file}" if file else "person"}


def read_old_photo(table: Table, person: str, key: str) -> PhotoRow | None:
    """Read the row of a photo as the first schema kept it; None if there is none."""
    item = dynamodb.read(table, _old_key(person, key))
    return _photo_row(item) if item and item["key"] == key else None


def remove_old_photo(table: Table, person: str, key: str, version: int) -> None:
    """Remove the row of a photo of the first schema, and the person's; new ones replace them."""
    table.delete_item(Key=_old_key(person))
    dynamodb.write(table, dynamodb.delete(_old_key(person, key), version))


def persons(table: Table) -> list[str]:
    """Return the ids of everybody who has a photo with a row."""
    return [str(row["sk"]) for row in dynamodb.query(table, Key("pk").eq(PEOPLE))]


def read_photo(table: Table, person: str, key: str) -> PhotoRow | None:
    """Read the row of a photo; None if there is none."""
    item = dynamodb.read(table, photo_key(person, key))
    return _photo_row(item) if item else None


def read_photos(table: Table, person: str) -> list[PhotoRow]:
    """Read the rows of all photos of a person."""
    condition = Key("pk").eq(f"person#{person}") & Key("sk").begins_with("photo#")
    rows = dynamodb.query(table, condition)
    return [_photo_row(row) for row in rows if "/" in row["sk"]]  # else of the first schema


def write_photo(table: Table, person: str, photo: PhotoObject, row: PhotoRow) -> None:
    """Write a photo's row and its person's row.

    Raises RowChangedError if the photo's row is no longer of the version that `row` names.
    """
    item = photo_key(person, photo.key) | {
        "key": row.key,
        "etag": row.etag,
        "sha256": row.sha256,
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


def remove_photo(table: Table, person: str, key: str, version: int) -> None:
    """Remove a photo's row, and with the last photo the person's row.

    Raises RowChangedError if one of the two rows has changed meanwhile.
    """
    owner = dynamodb.read(table, person_key(person))
    others = [row for row in read_photos(table, person) if row.key != key]
    requests = [dynamodb.delete(photo_key(person, key), version)]
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
        sha256=item.get("sha256", ""),
        face_id=item["faceId"],
        status=item["status"],
        reason=item["reason"],
        orphaned_faces=tuple(item["stale"]),
        version=int(item["version"]),
    )
