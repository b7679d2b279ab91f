"""Give a person another name: the photos move to another folder, and the person stays."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cli.aws.target import Target
from cli.errors import InputError
from whosthere.people import photo_keys, store
from whosthere.people.differences import list_photos
from whosthere.people.ownership import People, find_person
from whosthere.people.person_names import folded_name
from whosthere.people.photo_keys import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, ObjectIdentifierTypeDef

WAIT_SECONDS = 60
POLL_SECONDS = 0.5
# All have to be there within a minute: what moves slower may be somebody else's.
AT_ONCE = 16
MOST_DELETED = 1000  # S3, DeleteObjects


def move_photos(target: Target, old: str, new: str, *, merge: bool) -> tuple[str, str, int]:
    """Move all photos of a person to another name; return id, name and how many moved.

    Who has the new name already keeps it as first written. Raises InputError if nobody has the
    old name, or somebody else the new one and `merge` is not given.
    """
    people = target.people()
    person = find_person(people.table, old, people.salt)
    if person is None:
        raise InputError(f"nobody is enrolled as {old!r}")
    other = find_person(people.table, new, people.salt)
    if other not in (None, person) and not merge:
        raise InputError(
            f"somebody else is enrolled as {new!r}. If the two are one person, say --merge: then "
            f"the visits of {old} count as those of {new}"
        )
    if other not in (None, person):
        new = store.name_of(people.table, str(other))
    moves = _moves(people, old, new)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda move: _copy(people, *move), moves.items()))
    keys = list(moves)
    for start in range(0, len(keys), MOST_DELETED):
        part = keys[start : start + MOST_DELETED]
        objects: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in part]
        people.s3.delete_objects(Bucket=people.bucket, Delete={"Objects": objects, "Quiet": True})
    return other or person, new, len(moves)


def wait_for_name(target: Target, person: str, name: str) -> bool:
    """Wait until a person is shown under a name; return whether that came about."""
    until = time.monotonic() + WAIT_SECONDS
    while store.name_of(target.table(), person) != name:
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _moves(people: People, old: str, new: str) -> dict[str, str]:
    """Return where to each photo goes, by its key; nothing is overwritten."""
    listed, _ = list_photos(people)
    wanted, etags = folded_name(old), dict(listed)
    moves = {}
    for key in sorted(listed):
        photo = photo_keys.parse_photo_key(key)
        if photo is None or folded_name(photo.name) != wanted:
            continue
        if not key.startswith(f"{PREFIX}{new}/"):
            file = key.rpartition("/")[2]
            moves[key] = free_key(f"{PREFIX}{new}/{file}", listed[key], etags)
            etags[moves[key]] = listed[key]
    return moves


def free_key(key: str, etag: str, etags: dict[str, str]) -> str:
    """Return the key, with a number if another photo has it; a copy of the same is no other."""
    stem, dot, suffix = key.rpartition(".")
    if not dot:
        stem, suffix = key, ""
    found, number = key, 1
    while etags.get(found, etag) != etag:
        number += 1
        found = f"{stem}-{number}{dot}{suffix}"
    return found


def _copy(people: People, key: str, to: str) -> None:
    source: CopySourceTypeDef = {"Bucket": people.bucket, "Key": key}
    people.s3.copy_object(Bucket=people.bucket, Key=to, CopySource=source)
