"""Reconcile photos: make collection and table agree with what S3 holds under `people/`.

S3's events come late, twice and out of order, so an event only says which key to check. A photo
is checked again after every write, and a write fails if the row has changed since it was read.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.clock import now_ms
from whosthere.dynamodb import RowChangedError, Table
from whosthere.errors import PhotoRefusedError, TryAgainError, is_permanent
from whosthere.people import ownership, photo_keys, photo_store, photos, store
from whosthere.people.collections import read_collections
from whosthere.people.content_owners import read_owners
from whosthere.people.ownership import People
from whosthere.people.photo_keys import PREFIX, PhotoObject
from whosthere.people.photo_store import PhotoRow
from whosthere.people.photos import EnrolledFace, PeopleCollection
from whosthere.people.store import Person

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

ENROLLED, REFUSED = "enrolled", "refused"
FORGOTTEN, UNCHANGED, IGNORED = "forgotten", "unchanged", "ignored"
MAX_ATTEMPTS = 6
GONE = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True, slots=True)
class PhotoReconciler:
    """Reconciles the photos of one stack; person ids are made with its `salt`."""

    table: Table
    collection: PeopleCollection
    salt: str
    clock: Callable[[], int] = now_ms

    @property
    def people(self) -> People:
        """Return the stack's photos."""
        return People(self.table, self.collection.s3, self.collection.bucket, self.salt)

    def reconcile_photo(self, key: str) -> str:
        """Make table and collection agree with what S3 holds under a key; return what was done.

        One of `enrolled`, `refused`, `forgotten`, `unchanged`; `ignored` if the key is no photo's.
        """
        photo = photo_keys.parse_photo_key(key)
        if photo is None:
            return IGNORED
        collection = replace(self.collection, numbers=read_collections(self.table))
        worker = _PhotoWorker(replace(self, collection=collection), photo, set())
        done = UNCHANGED
        for _ in range(MAX_ATTEMPTS):
            try:
                step = worker.reconcile_once()
            except RowChangedError:
                continue
            if step == UNCHANGED:
                return ENROLLED if worker.keeps_faces() else done
            done = step
        raise TryAgainError("the photo keeps changing")


@dataclass(frozen=True, slots=True)
class _PhotoContent:
    """What S3 holds under a photo's key, or so much that it is known to be too large."""

    etag: str
    size: int
    modified_ms: int
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class _PhotoWorker:
    """Reconciles one photo; `indexed` are the faces that this worker has added."""

    reconciler: PhotoReconciler
    photo: PhotoObject
    indexed: set[str]

    def reconcile_once(self) -> str:
        """Do the next step and return its name; `unchanged` if there is none."""
        found = self._head()
        persons = store.read_people(self._table)
        named = ownership.called(persons, self.photo.name)
        if found is None:
            return self._forget(named)
        content = None
        if named:
            person = named[0]
        elif store.has_first_schema(self._table, self._first_schema_id):
            person = self._first_schema_id
        else:
            content = self._read(found)
            person = self._owner(persons, content)
        row = photo_store.read_photo(self._table, person, self.photo.key)
        if row and row.orphaned_faces:
            return self._delete_orphaned_faces(person, row)
        if row is None or not row.is_of(found["ETag"]):
            return self._enroll(person, row, content or self._read(found))
        if lacking := row.lacking(self._collection.numbers.all):
            return self._enroll_into(lacking, person, row, self._read(found))
        self._forget(named[1:], heir=person)  # of earlier rows: another case, another person
        return UNCHANGED

    def keeps_faces(self) -> bool:
        """Delete faces added here that somebody has replaced; return whether one is left."""
        if not self.indexed:
            return False
        named = ownership.called(store.read_people(self._table), self.photo.name)
        rows = [photo_store.read_photo(self._table, person, self.photo.key) for person in named]
        kept = {face for row in rows if row for face in (row.face_id, *row.faces.values())}
        photos.delete_faces(self._collection, list(self.indexed - kept))
        return bool(self.indexed & kept)

    def _owner(self, persons: Sequence[Person], content: _PhotoContent) -> str:
        now_ms = self.reconciler.clock()
        return ownership.owner_of_new_name(
            self.reconciler.people,
            persons,
            self.photo.name,
            content.sha256,
            now_ms - content.modified_ms,
            now_ms / 1000,
        )

    def _enroll(self, person: str, old: PhotoRow | None, content: _PhotoContent) -> str:
        now_s = self.reconciler.clock() / 1000
        face, status, reason = EnrolledFace({}, "", None), ENROLLED, ""
        try:
            face = self._index(person, content)
        except PhotoRefusedError as refusal:
            status, reason = REFUSED, str(refusal)
        else:
            owners = read_owners(self._table, content.sha256, now_s)
            for owner in {*owners.enrolled} - {person}:
                store.merge_if_gone(self._table, owner, person)
        before = old.all_faces if old else set()
        face_id = face.faces.get(self._collection.numbers.in_use, "")
        row = PhotoRow(
            key=self.photo.key,
            etag=content.etag,
            face_id=face_id,
            faces=face.faces,
            status=status,
            reason=reason,
            # Written before the faces are deleted, so that a crash leaves none behind.
            orphaned_faces=tuple(sorted(before - {*face.faces.values()})),
            version=old.version if old else 0,
            sha256=content.sha256,
            size=content.size,
            advice=face.advice,
            alike=face.alike,
        )
        photo_store.write_photo(self._table, person, self.photo, row, now_s=now_s)
        return status

    def _enroll_into(
        self, numbers: Sequence[int], person: str, row: PhotoRow, content: _PhotoContent
    ) -> str:
        """Enroll a photo into collections that were made since; return what became of it."""
        try:
            faces = self._index(person, content, numbers).faces
            row = replace(row, faces={**row.faces, **faces})
        except PhotoRefusedError as refusal:
            faces = {**row.faces, **dict.fromkeys(numbers, "")}
            row = replace(row, face_id="", faces=faces, status=REFUSED, reason=str(refusal))
        photo_store.write_photo(self._table, person, self.photo, row)
        return row.status

    def _index(self, person: str, content: _PhotoContent, into: Sequence[int] = ()) -> EnrolledFace:
        label = photo_keys.face_label(person, self.photo.key, self.reconciler.salt)
        face = photos.enroll(self._collection, self.photo.key, content.content, label, into)
        self.indexed.update(face.faces.values())
        return face

    def _delete_orphaned_faces(self, person: str, row: PhotoRow) -> str:
        photos.delete_faces(self._collection, list(row.orphaned_faces))
        photo_store.write_photo(self._table, person, self.photo, replace(row, orphaned_faces=()))
        return row.status

    def _forget(self, persons: Sequence[str], heir: str = "") -> str:
        """Forget the photo where persons, or the first schema, have it; return what was done."""
        done = UNCHANGED
        for person in persons:
            if row := photo_store.read_photo(self._table, person, self.photo.key):
                self._enroll_copies(row)
                photos.delete_faces(self._collection, sorted(row.all_faces))
                now_s = self.reconciler.clock() / 1000
                photo_store.remove_photo(self._table, person, row, now_s, heir=heir)
                done = FORGOTTEN
        return FORGOTTEN if self._forget_old() else done

    def _forget_old(self) -> bool:
        """Forget the photo as the first schema kept it; return whether it did."""
        person, key = self._first_schema_id, self.photo.key
        old = photo_store.read_old_photo(self._table, person, key)
        if old is None:
            return False
        photos.delete_faces(self._collection, sorted(old.all_faces))
        photo_store.remove_old_photo(self._table, person, key, old.version)
        return True

    def _enroll_copies(self, row: PhotoRow) -> None:
        """Enroll what a photo may have been moved to, before its own face goes."""
        for key in self._of_size(row.size) if row.face_id and row.size else ():
            try:
                self.reconciler.reconcile_photo(key)
            except Exception as error:
                if not is_permanent(error):
                    raise

    def _of_size(self, size: int) -> list[str]:
        pages = self._collection.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._collection.bucket, Prefix=PREFIX
        )
        items = [item for page in pages for item in page.get("Contents", ())]
        return [item["Key"] for item in items if item["Size"] == size]

    def _read(self, found: "HeadObjectOutputTypeDef") -> _PhotoContent:
        s3, bucket = self._collection.s3, self._collection.bucket
        answer = s3.get_object(Bucket=bucket, Key=self.photo.key)
        if answer["ETag"] != found["ETag"]:
            raise RowChangedError
        return _PhotoContent(
            etag=found["ETag"],
            size=found["ContentLength"],
            modified_ms=round(found["LastModified"].timestamp() * 1000),
            content=answer["Body"].read(photos.MAX_BYTES + 1),
        )

    def _head(self) -> "HeadObjectOutputTypeDef | None":
        """Return what S3 says of the photo; None if it is not there."""
        s3, bucket = self._collection.s3, self._collection.bucket
        try:
            return s3.head_object(Bucket=bucket, Key=self.photo.key)
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise

    @property
    def _table(self) -> Table:
        return self.reconciler.table

    @property
    def _collection(self) -> PeopleCollection:
        return self.reconciler.collection

    @property
    def _first_schema_id(self) -> str:
        return photo_keys.first_schema_id(self.photo.name, self.reconciler.salt)
