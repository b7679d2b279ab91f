"""Decide whose a photo is: by the name of its folder, or by its content where that is new.

A photo under a new name that was somebody's, who has no photos left under the old names, is the
same person under another name. So a move of a folder keeps the person, in whichever order its
events come: all is read from what S3 holds and what the rows say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from whosthere.dynamodb import Table
from whosthere.errors import TryAgainError
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.content_owners import read_owners
from whosthere.people.store import Person

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOVE_MS = 60_000  # so long a new name waits for the photos of the old one to go


@dataclass(frozen=True, slots=True)
class People:
    """The photos of a stack: its table and bucket, and what person ids are made with."""

    table: Table
    s3: "S3Client"
    bucket: str
    salt: str


def called(persons: Sequence[Person], name: str) -> list[str]:
    """Return the ids of the persons of a name, whoever has it first; more only of old rows."""
    return [one.id for one in persons if not one.merged_into and one.is_called(name)]


def find_person(table: Table, name: str, salt: str) -> str | None:
    """Return the id of the person who is enrolled under a name; None if nobody is."""
    found = called(store.read_people(table), name)
    if found:
        return found[0]
    old = photo_keys.first_schema_id(name, salt)
    return old if store.has_first_schema(table, old) else None


def owner_of_new_name(
    people: People, persons: Sequence[Person], name: str, sha256: str, age_ms: int, now_s: float
) -> str:
    """Return the id of the person whom a name means that nobody has yet.

    `sha256` is the content of a photo under that name and `age_ms` how long it lies there. Raises
    TryAgainError if it may be one of several that are being moved.
    """
    known = {person.id: person for person in persons}
    before = read_owners(people.table, sha256, now_s)
    owners = sorted({store.current_id(people.table, owner) for owner in before.enrolled})
    if len(owners) == 1 and not _has_photos(people, owners[0]):
        return owners[0]
    if age_ms < MOVE_MS and (len(owners) == 1 or (before.refused and not owners)):
        raise TryAgainError("the photo may be one of several that get another name")
    return _unused_id(known, name, people.salt, set(owners))


def _has_photos(people: People, person: str) -> bool:
    """Return whether S3 holds anything in the folders of a person's photos."""
    rows = photo_store.read_photos(people.table, person)
    for folder in sorted({row.key.rpartition("/")[0] for row in rows}):
        found = people.s3.list_objects_v2(Bucket=people.bucket, Prefix=f"{folder}/", MaxKeys=2)
        # An object that ends in a slash is a folder as S3's console makes it.
        if any(not item["Key"].endswith("/") for item in found.get("Contents", ())):
            return True
    return False


def _unused_id(known: dict[str, Person], name: str, salt: str, owners: set[str]) -> str:
    """Return the first id of a name that is free, or whose person one of the owners has become."""
    for number in count(1):
        person = known.get(id := photo_keys.person_id(name, salt, number))
        if person is None or person.merged_into in owners:
            return id
    raise AssertionError
