"""People: who is enrolled, under an opaque id that stands in for the name everywhere else."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb as rows
from whosthere.dynamodb import Table

PREFIX = "people/"
NAMELESS = "Somebody you know"


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo under `people/`: its key, and what the key says."""

    key: str
    name: str
    file: str


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """What the table says of a photo; `stale` are faces that it had before."""

    key: str
    etag: str
    face_id: str
    status: str
    reason: str
    stale: tuple[str, ...]
    version: int


def photo_of(key: str) -> Photo | None:
    """The photo that lies under a key, or None if it is none: `people/<name>/<file>`."""
    parts = key.split("/")
    if len(parts) != 3 or f"{parts[0]}/" != PREFIX or not parts[1].strip():
        return None
    if not parts[2]:
        return None
    name = unicodedata.normalize("NFC", parts[1]).strip()
    return Photo(key, name, unicodedata.normalize("NFC", parts[2]))


def person_id(name: str, salt: str) -> str:
    """The id of a person: says nothing of the name, and fits an ExternalImageId."""
    written = unicodedata.normalize("NFC", name).strip()
    digest = hmac.digest(salt.encode(), written.encode(), hashlib.sha256)
    return f"p-{digest.hex()[:24]}"


def name_of(table: Table, person: str) -> str:
    """The name of a person; there is none any more if the last photo has just gone."""
    row = rows.read(table, person_key(person))
    return str(row["name"]) if row else NAMELESS


def person_key(person: str) -> dict[str, str]:
    """Key of the one row that holds the person's name."""
    return {"pk": f"person#{person}", "sk": "person"}


def photo_key(person: str, file: str) -> dict[str, str]:
    """Key of the row of one of the person's photos."""
    return {"pk": f"person#{person}", "sk": f"photo#{file}"}


def read_photo(table: Table, person: str, file: str) -> PhotoRow | None:
    """What the table says of a photo, or None."""
    item = rows.read(table, photo_key(person, file))
    return _photo_row(item) if item else None


def write_photo(table: Table, person: str, photo: Photo, row: PhotoRow) -> None:
    """Write a photo's row in place of that version, and the person's; or RowChangedError."""
    item = photo_key(person, photo.file) | {
        "key": row.key,
        "etag": row.etag,
        "faceId": row.face_id,
        "status": row.status,
        "reason": row.reason,
        "stale": list(row.stale),
    }
    named = {
        "Update": {
            "Key": person_key(person),
            # Counts every photo written, so that whoever removes the person's row
            # notices one that came in between.
            "UpdateExpression": "SET #name = :name ADD version :one",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {":name": photo.name, ":one": 1},
        }
    }
    rows.write(table, named, rows.put(item, row.version))


def remove_photo(table: Table, person: str, file: str, version: int) -> None:
    """Remove a photo's row and, if it was the last one, the person's; else RowChangedError."""
    owner = rows.read(table, person_key(person))
    condition = Key("pk").eq(f"person#{person}") & Key("sk").begins_with("photo#")
    others = [
        item for item in rows.query(table, condition) if item["sk"] != photo_key(person, file)["sk"]
    ]
    requests = [rows.delete(photo_key(person, file), version)]
    if owner and not others:
        requests.append(rows.delete(person_key(person), int(owner["version"])))
    elif owner:
        # Two that remove the last two photos at once must not both see the other's.
        requests.append(rows.touch(person_key(person), int(owner["version"])))
    rows.write(table, *requests)


def _photo_row(item: dict[str, Any]) -> PhotoRow:
    return PhotoRow(
        key=item["key"],
        etag=item["etag"],
        face_id=item["faceId"],
        status=item["status"],
        reason=item["reason"],
        stale=tuple(item["stale"]),
        version=int(item["version"]),
    )
