"""Rows of photos: each key in S3 has a row and a face of its own.

Of keys that differ only in case or code points several may lie there, and name one person.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest
from whosthere.people.collections import FIRST
from whosthere.people.content_owners import disown, find_heir, own
from whosthere.people.person_names import folded_name, written_name
from whosthere.people.photo_keys import PREFIX, PhotoObject, parse_photo_key
from whosthere.people.photos import Alike
from whosthere.people.store import Person, first_schema_key, person_key


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """The row of a photo; `orphaned_faces` are replaced faces that are still to be deleted.

    `faces` has the photo's face in each collection by its number, an empty one if it was refused
    there, and `face_id` is that of the collection in use when the photo was enrolled.
    `sha256` and `size` in bytes are of the photo's content; empty in a row that an earlier version
    wrote. `advice` says what a better photo has.
    """

    key: str
    etag: str
    sha256: str
    face_id: str
    status: str
    reason: str
    orphaned_faces: tuple[str, ...]
    version: int
    size: int = 0
    advice: str = ""
    alike: Alike | None = None
    faces: Mapping[int, str] = field(default_factory=dict)

    @property
    def all_faces(self) -> set[str]:
        """Return the ids of all faces of the photo, replaced ones too."""
        return {self.face_id, *self.faces.values(), *self.orphaned_faces} - {""}

    def lacking(self, collections: Iterable[int]) -> list[int]:
        """Return the numbers of the collections that the photo is still to be enrolled into."""
        return [number for number in collections if self.face_id and number not in self.faces]

    def is_of(self, etag: str) -> bool:
        """Return whether the row says all of a content; an earlier version kept less."""
        return self.etag == etag and bool(self.sha256 or not self.face_id)


def photo_key(person: str, key: str) -> dict[str, str]:
    """Return the key of the row of one of the person's photos, by its key in S3.

    Without the folder of all: a sort key may be as long as a key in S3, and no longer.
    """
    return {"pk": f"person#{person}", "sk": f"photo#{key.removeprefix(PREFIX)}"}


def read_old_photo(table: Table, person: str, key: str) -> PhotoRow | None:
    """Read the row of a photo as the first schema kept it; None if there is none."""
    item = dynamodb.read(table, first_schema_key(person, key))
    return _photo_row(item) if item and item["key"] == key else None


def remove_old_photo(table: Table, person: str, key: str, version: int) -> None:
    """Remove the row of a photo of the first schema, and the person's; new ones replace them."""
    table.delete_item(Key=first_schema_key(person))
    dynamodb.write(table, dynamodb.delete(first_schema_key(person, key), version))


def read_photo(table: Table, person: str, key: str) -> PhotoRow | None:
    """Read the row of a photo; None if there is none."""
    item = dynamodb.read(table, photo_key(person, key))
    return _photo_row(item) if item else None


def read_photos(table: Table, person: str) -> list[PhotoRow]:
    """Read the rows of all photos of a person."""
    condition = Key("pk").eq(f"person#{person}") & Key("sk").begins_with("photo#")
    rows = dynamodb.query(table, condition)
    return [_photo_row(row) for row in rows if "/" in row["sk"]]  # else of the first schema


def read_listed_photos(
    table: Table, persons: Iterable[Person], keys: Iterable[str]
) -> dict[str, list[PhotoRow]]:
    """Read the rows of photos that lie under keys in S3, by person; without a query for each.

    Of a name that several persons had, one after the other, each is asked for.
    """
    called: defaultdict[str, list[str]] = defaultdict(list)
    for person in persons:
        for name in {folded_name(name) for name in (person.name, *person.folders) if name}:
            called[name].append(person.id)
    wanted = [
        photo_key(person, photo.key)
        for photo in filter(None, map(parse_photo_key, keys))
        for person in called.get(folded_name(photo.name), ())
    ]
    found: defaultdict[str, list[PhotoRow]] = defaultdict(list)
    for row in sorted(dynamodb.read_many(table, wanted), key=itemgetter("key")):
        found[row["pk"].partition("#")[2]].append(_photo_row(row))
    return found


def write_photo(
    table: Table, person: str, photo: PhotoObject, row: PhotoRow, *, now_s: float = 0
) -> None:
    """Write a photo's row, its person's row, and whose its content is.

    Raises RowChangedError if the photo's row is no longer of the version that `row` names.
    """
    item: dict[str, Any] = photo_key(person, photo.key) | {
        "key": row.key,
        "etag": row.etag,
        "sha256": row.sha256,
        "faceId": row.face_id,
        "faces": {str(number): face for number, face in row.faces.items()},
        "status": row.status,
        "reason": row.reason,
        "stale": list(row.orphaned_faces),
        "size": row.size,
        "advice": row.advice,
    }
    if row.alike:
        similarity = dynamodb.decimals(row.alike.similarity)
        item["alike"] = {"person": row.alike.person, "similarity": similarity}
    named: WriteRequest = {
        "Update": {
            "Key": person_key(person),
            # Counts every photo written, so that a worker that removes the person's row
            # notices a photo written in between.
            "UpdateExpression": (
                "SET #name = if_not_exists(#name, :name), schemaVersion = :schema "
                "REMOVE mergedInto ADD version :one, folders :folders"
            ),
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {
                ":name": photo.name,
                ":folders": {photo.name},
                ":one": 1,
                ":schema": dynamodb.SCHEMA,
            },
        }
    }
    requests = [named, dynamodb.put(item, row.version)]
    if row.sha256:
        requests.append(own(row.sha256, person, is_refused=not row.face_id))
    before = read_photo(table, person, photo.key) if row.version else None
    if before and before.sha256 != row.sha256:
        requests += _disown(person, before, read_photos(table, person), now_s)
    dynamodb.write(table, *requests)


def remove_photo(table: Table, person: str, row: PhotoRow, now_s: float, *, heir: str = "") -> None:
    """Remove a photo's row, and with the last photo the person's row.

    A person whose last photo is another's now is merged into that one, or into `heir`. A name
    without a photo left is not shown any more. Raises RowChangedError if a row has changed.
    """
    owner = dynamodb.read(table, person_key(person))
    others = [other for other in read_photos(table, person) if other.key != row.key]
    requests = [dynamodb.delete(photo_key(person, row.key), row.version)]
    requests += _disown(person, row, others, now_s)
    if owner:
        if row.face_id and not heir:  # what was refused is no sign of who somebody is
            heir = find_heir(table, person, row.sha256)
        elif not heir:
            heir = owner.get("heir", "")
        requests.append(_without(owner, others, heir))
    dynamodb.write(table, *requests)


def _without(owner: Row, others: Sequence[PhotoRow], heir: str) -> WriteRequest:
    """Return the change of a person's row to the photos that are left, with their names.

    `heir` is who has the photo that was enrolled and removed last: after the last one that person
    is this one.
    """
    key, version = {"pk": owner["pk"], "sk": owner["sk"]}, int(owner["version"])
    if not others:
        if heir:
            return dynamodb.put(key | {"mergedInto": heir}, version)
        return dynamodb.delete(key, version)
    folders = {written_name(other.key.split("/")[1]) for other in others}
    name = owner["name"] if owner["name"] in folders else min(folders)
    return {
        "Update": {
            "Key": key,
            # Two workers that remove the last two photos at once must not each see the other's.
            "UpdateExpression": (
                "SET #name = :name, folders = :folders, heir = :heir ADD version :one"
            ),
            "ConditionExpression": "version = :version",
            "ExpressionAttributeNames": {"#name": "name"},
            "ExpressionAttributeValues": {
                ":name": name,
                ":folders": folders,
                ":heir": heir,
                ":one": 1,
                ":version": version,
            },
        }
    }


def _disown(
    person: str, row: PhotoRow, others: Iterable[PhotoRow], now_s: float
) -> list[WriteRequest]:
    """Return the write by which a photo's content is the person's no more; none if it still is."""
    copies = [other for other in others if other.sha256 == row.sha256 and other.key != row.key]
    if not row.sha256 or copies:
        return []
    return [disown(row.sha256, person, now_s, is_refused=not row.face_id)]


def _photo_row(item: Row) -> PhotoRow:
    alike, face = item.get("alike"), item["faceId"]
    # An earlier version knew one collection.
    faces = item.get("faces", {FIRST: face} if face else {})
    return PhotoRow(
        key=item["key"],
        etag=item["etag"],
        sha256=item.get("sha256", ""),
        face_id=face,
        status=item["status"],
        reason=item["reason"],
        orphaned_faces=tuple(item["stale"]),
        version=int(item["version"]),
        size=int(item.get("size", 0)),
        advice=item.get("advice", ""),
        alike=Alike(alike["person"], float(alike["similarity"])) if alike else None,
        faces={int(number): found for number, found in faces.items()},
    )
