"""Reconcile photos: make collection and table agree with what S3 holds under `people/`.

S3's events come late, twice and out of order, so an event only says which key to check. A photo
is checked again after every write, and a write fails if the row has changed since it was read.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.dynamodb import RowChangedError, Table
from whosthere.errors import PhotoRefusedError, TryAgainError
from whosthere.people import photos, store
from whosthere.people.photos import PeopleCollection
from whosthere.people.store import PhotoObject, PhotoRow

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

ENROLLED, REFUSED = "enrolled", "refused"
FORGOTTEN, UNCHANGED, IGNORED = "forgotten", "unchanged", "ignored"
MAX_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class PhotoReconciler:
    """Reconciles the photos of one stack; person ids are made with its `salt`."""

    table: Table
    collection: PeopleCollection
    salt: str

    def reconcile_photo(self, key: str) -> str:
        """Make table and collection agree with what S3 holds under a key; return what was done.

        One of `enrolled`, `refused`, `forgotten`, `unchanged`; `ignored` if the key is no photo's.
        """
        photo = store.parse_photo_key(key)
        if photo is None:
            return IGNORED
        worker = _PhotoWorker(
            self.table,
            self.collection,
            store.person_id(photo.name, self.salt),
            store.face_label(photo, self.salt),
            photo,
            set(),
        )
        done = UNCHANGED
        for _ in range(MAX_ATTEMPTS):
            try:
                step = worker.reconcile_once()
            except RowChangedError:
                continue
            if step == UNCHANGED:
                worker.delete_lost_faces()
                return done
            done = step
        raise TryAgainError("the photo keeps changing")


@dataclass(frozen=True, slots=True)
class _PhotoWorker:
    """Reconciles one photo; `indexed` are the faces that this worker has added."""

    table: Table
    collection: PeopleCollection
    person: str
    label: str
    photo: PhotoObject
    indexed: set[str]

    def reconcile_once(self) -> str:
        """Do the next step and return its name; `unchanged` if there is none."""
        found = self._head()
        row = self._row()
        if row and row.orphaned_faces:
            return self._delete_orphaned_faces(row)
        if row is None and self._forget_old():
            return FORGOTTEN
        if found is None:
            if row is None:
                return UNCHANGED
            photos.delete_faces(self.collection, [row.face_id])
            store.remove_photo(self.table, self.person, self.photo.key, row.version)
            return FORGOTTEN
        if row and row.etag == found["ETag"]:
            return UNCHANGED
        return self._enroll(row, found)

    def _forget_old(self) -> bool:
        """Forget the photo as the first schema kept it; return whether it did."""
        old = store.read_old_photo(self.table, self.person, self.photo.key)
        if old is None:
            return False
        photos.delete_faces(self.collection, [old.face_id, *old.orphaned_faces])
        store.remove_old_photo(self.table, self.person, self.photo.key, old.version)
        return True

    def delete_lost_faces(self) -> None:
        """Delete faces added here that another worker or a newer photo has replaced."""
        if not self.indexed:
            return
        row = self._row()
        kept = {row.face_id} if row else set()
        photos.delete_faces(self.collection, list(self.indexed - kept))

    def _enroll(self, old: PhotoRow | None, found: "HeadObjectOutputTypeDef") -> str:
        face_id, status, reason = "", ENROLLED, ""
        content = self._read()
        try:
            face_id = photos.enroll(self.collection, self.photo.key, content, self.label)
            self.indexed.add(face_id)
        except PhotoRefusedError as refusal:
            status, reason = REFUSED, str(refusal)
        before = {old.face_id, *old.orphaned_faces} if old else set()
        row = PhotoRow(
            key=self.photo.key,
            etag=found["ETag"],
            sha256=hashlib.sha256(content).hexdigest(),
            face_id=face_id,
            status=status,
            reason=reason,
            # Written before the faces are deleted, so that a crash leaves none behind.
            orphaned_faces=tuple(sorted(before - {face_id, ""})),
            version=old.version if old else 0,
        )
        self._write(row)
        return status

    def _delete_orphaned_faces(self, row: PhotoRow) -> str:
        photos.delete_faces(self.collection, list(row.orphaned_faces))
        self._write(replace(row, orphaned_faces=()))
        return row.status

    def _row(self) -> PhotoRow | None:
        return store.read_photo(self.table, self.person, self.photo.key)

    def _write(self, row: PhotoRow) -> None:
        store.write_photo(self.table, self.person, self.photo, row)

    def _read(self) -> bytes:
        """Return the photo, or so much of it that it is known to be too large."""
        collection = self.collection
        answer = collection.s3.get_object(Bucket=collection.bucket, Key=self.photo.key)
        return answer["Body"].read(photos.MAX_BYTES + 1)

    def _head(self) -> "HeadObjectOutputTypeDef | None":
        """Return what S3 says of the photo; None if it is not there."""
        s3, bucket = self.collection.s3, self.collection.bucket
        try:
            return s3.head_object(Bucket=bucket, Key=self.photo.key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
