"""Enrolling: what S3 holds under `people/` and what collection and table say are made equal.

S3's events come late, twice and out of order, so they say only where to look. A photo
is looked at again after every write, and a write fails if the row changed meanwhile.
"""

from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from whosthere.dynamodb import RowChangedError, Table
from whosthere.errors import PhotoRefusedError, TryAgainError
from whosthere.people import photos
from whosthere.people import store as people
from whosthere.people.photos import Studio
from whosthere.people.store import Photo, PhotoRow

ENROLLED, REFUSED = "enrolled", "refused"
FORGOTTEN, UNCHANGED, IGNORED = "forgotten", "unchanged", "ignored"
ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class Register:
    """The table with people and photos, the studio, and the salt of person ids."""

    table: Table
    studio: Studio
    salt: str


@dataclass(frozen=True, slots=True)
class _Case:
    """One photo on its way; `indexed` are the faces that this worker made of it."""

    person: str
    photo: Photo
    indexed: set[str]


def settle_photo(register: Register, key: str) -> str:
    """Make table and collection agree with what S3 holds under a key; what was done.

    One of `enrolled`, `refused`, `forgotten`, `unchanged`; `ignored` if it is no photo.
    """
    photo = people.photo_of(key)
    if photo is None:
        return IGNORED
    case = _Case(people.person_id(photo.name, register.salt), photo, set())
    done = UNCHANGED
    for _ in range(ATTEMPTS):
        try:
            step = _settle_once(register, case)
        except RowChangedError:
            continue
        if step == UNCHANGED:
            _forget_losers(register, case)
            return done
        done = step
    raise TryAgainError("the photo keeps changing")


def _settle_once(register: Register, case: _Case) -> str:
    found = _head(register.studio, case.photo.key)
    row = people.read_photo(register.table, case.person, case.photo.file)
    if row and row.stale:
        return _drop_stale(register, case, row)
    if found is None:
        # The row may be of a folder whose name is the same in other code points.
        if row is None or row.key != case.photo.key:
            return UNCHANGED
        photos.forget(register.studio, [row.face_id])
        people.remove_photo(register.table, case.person, case.photo.file, row.version)
        return FORGOTTEN
    if row and (row.etag, row.key) == (found["ETag"], case.photo.key):
        return UNCHANGED
    return _enrol(register, case, row, found)


def _enrol(register: Register, case: _Case, old: PhotoRow | None, found: dict[str, Any]) -> str:
    face_id, status, reason = "", ENROLLED, ""
    try:
        face_id = photos.enrol(register.studio, case.photo.key, found["ContentLength"], case.person)
        case.indexed.add(face_id)
    except PhotoRefusedError as refusal:
        status, reason = REFUSED, str(refusal)
    before = {old.face_id, *old.stale} if old else set()
    row = PhotoRow(
        key=case.photo.key,
        etag=found["ETag"],
        face_id=face_id,
        status=status,
        reason=reason,
        # Named in the row before they go, so that a crash leaves none behind.
        stale=tuple(sorted(before - {face_id, ""})),
        version=old.version if old else 0,
    )
    people.write_photo(register.table, case.person, case.photo, row)
    return status


def _drop_stale(register: Register, case: _Case, row: PhotoRow) -> str:
    photos.forget(register.studio, list(row.stale))
    clean = replace(row, stale=())
    people.write_photo(register.table, case.person, case.photo, clean)
    return row.status


def _forget_losers(register: Register, case: _Case) -> None:
    """Delete faces that were indexed here but lost to another worker's or a newer photo's."""
    if not case.indexed:
        return
    row = people.read_photo(register.table, case.person, case.photo.file)
    kept = {row.face_id} if row else set()
    photos.forget(register.studio, list(case.indexed - kept))


def _head(studio: Studio, key: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = studio.s3.head_object(Bucket=studio.bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    return found
