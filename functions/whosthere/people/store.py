"""Store who is enrolled, under an opaque id that stands in for the name everywhere else.

Each key in S3 has a row and a face of its own: of keys that differ only in case or code points
several may lie there, and name one person.
"""

import hashlib
import hmac
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest
from whosthere.names import PHOTO_MARK
from whosthere.people.collections import FIRST
from whosthere.people.content_owners import disown, find_heir, own
from whosthere.people.person_names import folded_name, why_no_name, written_name
from whosthere.people.photos import Alike

PREFIX = "people/"
PEOPLE = "people"
NAMELESS = "Somebody you know"
MOST_MERGES = 10
MISPLACED = "A photo has to lie in the folder of its person: people/<name>/<file>."


@dataclass(frozen=True, slots=True)
class PhotoObject:
    """A photo in S3 under `people/`: its key, and the person whom the key names."""

    key: str
    name: str


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


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled: the name shown, and the names of the folders that the photos lie in.

    Without a name it is what is left of a person who is now known as another: `merged_into`.
    `look_alikes` are the labels of faces that were taken for this person's.
    """

    id: str
    name: str
    folders: frozenset[str] = field(default=frozenset())
    merged_into: str = ""
    look_alikes: frozenset[str] = field(default=frozenset())

    def is_called(self, name: str) -> bool:
        """Return whether a name is this person's, but for case and Unicode form."""
        wanted = folded_name(name)
        return any(folded_name(known) == wanted for known in {self.name, *self.folders} if known)


def parse_photo_key(key: str) -> PhotoObject | None:
    """Parse an S3 key, `people/<name>/<file>`; return None if it is no photo's."""
    parts = key.split("/")
    if len(parts) != 3 or f"{parts[0]}/" != PREFIX or not parts[2] or why_no_name(parts[1]):
        return None
    return PhotoObject(key, written_name(parts[1]))


def why_no_photo(key: str) -> str:
    """Return why an object below `people/` is no photo of anybody; empty if it is one."""
    if parse_photo_key(key):
        return ""
    parts = key.split("/")
    if len(parts) == 3 and parts[1].strip() and parts[2]:
        return why_no_name(parts[1]) or MISPLACED
    return MISPLACED


def person_id(name: str, salt: str, number: int = 1) -> str:
    """Return the id of a person: it does not reveal the name, and fits an ExternalImageId.

    `number` counts the persons who had a name, one after the other.
    """
    folded = folded_name(name)
    return f"p-{_digest(folded if number == 1 else f'{folded}/{number}', salt)[:24]}"


def first_schema_id(name: str, salt: str) -> str:
    """Return the id that a person of the first schema has: another for each case of a name."""
    return f"p-{_digest(written_name(name), salt)[:24]}"


def face_label(person: str, key: str, salt: str) -> str:
    """Return the ExternalImageId of a photo's face: the person's id, and which photo it is.

    IndexFaces stores one face for the same picture under the same ExternalImageId, and a photo
    that is removed would take the face of its copy along.
    """
    return f"{person}{PHOTO_MARK}{_digest(key, salt)[:16]}"


def _digest(text: str, salt: str) -> str:
    return hmac.digest(salt.encode(), text.encode(), hashlib.sha256).hex()


def name_of(table: Table, person: str) -> str:
    """Return the name of a person; NAMELESS if the last photo has just been removed."""
    return read_person(table, person).name


def read_person(table: Table, person: str) -> Person:
    """Read a person, or whom that person has been merged into; one without photos is NAMELESS."""
    row = dynamodb.read(table, person_key(person))
    if row is None:
        row = dynamodb.read(table, _old_key(person))
    elif "name" not in row:
        row = _final_row(table, person)
    if row is None or "name" not in row:
        return Person(person, NAMELESS)
    id = person if row["sk"] == "person" else str(row["sk"])  # else of the first schema
    return Person(id, str(row["name"]), look_alikes=frozenset(row.get("lookAlikes", ())))


def note_look_alike(table: Table, person: str, label: str) -> None:
    """Note in a person's row that a face of this label is somebody else's, if there is a row."""
    _change_look_alikes(table, person, "ADD", label)


def drop_look_alike(table: Table, person: str, label: str) -> None:
    """Take the label of a look-alike's face out of a person's row."""
    _change_look_alikes(table, person, "DELETE", label)


def _change_look_alikes(table: Table, person: str, change: str, label: str) -> None:
    try:
        table.update_item(
            Key=person_key(current_id(table, person)),
            UpdateExpression=f"{change} lookAlikes :labels",
            ConditionExpression="attribute_exists(#name)",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":labels": {label}},
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise


def current_id(table: Table, person: str) -> str:
    """Return the id under which a person is known now: another one after a merge."""
    row = _final_row(table, person)
    return str(row["sk"]) if row else person


def _final_row(table: Table, person: str) -> Row | None:
    """Return the row of a person, or of whom that person has been merged into."""
    row = dynamodb.read(table, person_key(person))
    for _ in range(MOST_MERGES):
        if not row or not row.get("mergedInto"):
            break
        row = dynamodb.read(table, person_key(row["mergedInto"]))
    return row


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


def has_first_schema(table: Table, person: str) -> bool:
    """Return whether there is a row of a person, or of a photo, of the first schema."""
    return bool(dynamodb.query(table, Key("pk").eq(_old_key(person)["pk"])))


def persons(table: Table) -> list[str]:
    """Return the ids of everybody who has a photo with a row."""
    return [person.id for person in read_people(table) if not person.merged_into]


def read_people(table: Table) -> list[Person]:
    """Read everybody who has a photo with a row, and who was merged, by id."""
    rows = dynamodb.query(table, Key("pk").eq(PEOPLE))
    return [
        Person(
            id=str(row["sk"]),
            name=str(row.get("name", "")),
            folders=frozenset(row.get("folders", ())),
            merged_into=str(row.get("mergedInto", "")),
            look_alikes=frozenset(row.get("lookAlikes", ())),
        )
        for row in rows
    ]


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


def merge_if_gone(table: Table, person: str, heir: str) -> None:
    """Say that a person without a photo is another one now; whoever has photos stays."""
    if dynamodb.read(table, person_key(person)) is None:
        dynamodb.write(table, dynamodb.put(person_key(person) | {"mergedInto": heir}, 0))


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
