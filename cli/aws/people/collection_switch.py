"""Move the people's faces into a collection of a newer face model, while the old one serves.

Each step notes how far it came, in the row that says which collections there are: killed anywhere
and run again, the move goes on. All the while the functions enroll every photo into each
collection of that row, and delete it from each.
"""

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cli.aws.people.collection_repair import GRACE_SECONDS, photo_rows
from cli.aws.target import Target
from cli.progress import Progress
from whosthere.people.collections import (
    FIRST,
    collection_name,
    delete_collection,
    read_collections,
    write_collections,
)
from whosthere.people.differences import send_keys
from whosthere.session.engine import STREAM_PROCESSOR
from whosthere.session_store import latest_session

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

POLL_SECONDS = 2
SEND_AGAIN_SECONDS = 120
GIVE_UP_SECONDS = 600  # without any progress


class CollectionSwitch:
    """One move of a stack's faces from the collection in use to another one."""

    def __init__(self, target: Target) -> None:
        """Begin with what the row says."""
        self._target, self._table = target, target.table()
        self._rekognition: RekognitionClient = target.session.client("rekognition")
        self.numbers = read_collections(self._table)

    def newer_model(self) -> str:
        """Return the face model's version if it is not that of the collection; empty if it is.

        Only a new collection tells. It stays, empty, if it is to be used.
        """
        if self.numbers.building or self.numbers.retiring:
            return ""
        with suppress(self._rekognition.exceptions.ResourceAlreadyExistsException):
            self._rekognition.create_collection(CollectionId=self._name(self.numbers.unused))
        newest = self.model(self.numbers.unused)
        if newest != self.model(self.numbers.in_use):
            return newest
        self.discard()
        return ""

    def model(self, number: int) -> str:
        """Return the face model's version of a collection."""
        found = self._rekognition.describe_collection(CollectionId=self._name(number))
        return found["FaceModelVersion"]

    def discard(self) -> None:
        """Delete the collection that only told the version, unless it is in use by now."""
        if read_collections(self._table) == self.numbers:
            self._delete(self.numbers.unused)

    def begin(self) -> None:
        """Have every photo enrolled into the new collection too, from now on."""
        self._write(building=self.numbers.unused)

    def fill(self, progress: Progress) -> int:
        """Have the enrolled photos added to the new collection; return how many are not.

        Gives up when none was added for a while: whatever keeps them out takes longer.
        """
        sent = left = -1
        now = sent_at = moved_at = time.monotonic()
        while lacking := self._lacking():
            if len(lacking) != left:
                left, moved_at = len(lacking), now
                progress.status(f"{left} photos are still to be enrolled again")
            if sent < 0 or now - sent_at > SEND_AGAIN_SECONDS:
                sqs, sent, sent_at = self._target.session.client("sqs"), left, now
                send_keys(sqs, self._target.output("ObjectsQueueUrl"), lacking)
            if now - moved_at > GIVE_UP_SECONDS:
                break
            time.sleep(POLL_SECONDS)
            now = time.monotonic()
        return len(lacking)

    def switch(self) -> None:
        """Have the new collection searched from now on."""
        switched = self.numbers.switched()
        self._write(in_use=switched.in_use, building=0, retiring=switched.retiring)

    def retire(self) -> list[str]:
        """Delete the old collection; return the sessions that keep it from being deleted."""
        time.sleep(GRACE_SECONDS)  # what is being opened or searched has read the row before
        retiring = self.numbers.retiring
        latest = [latest_session(self._table, camera) for camera in self._target.cameras]
        users = [
            session.id
            for session in latest
            if session and session.held and session.engine == STREAM_PROCESSOR
            if session.collection == retiring
        ]
        if users:
            return users
        self._delete(retiring)
        if retiring == FIRST:  # it is the template's: empty, it is deleted with the stack
            self._rekognition.create_collection(CollectionId=self._name(FIRST))
        self._write(retiring=0)
        return []

    def _lacking(self) -> list[str]:
        number = self.numbers.building
        return [row.key for _, row in photo_rows(self._table) if row.lacking([number])]

    def _name(self, number: int) -> str:
        return collection_name(self._target.output("PeopleCollectionId"), number)

    def _delete(self, number: int) -> None:
        delete_collection(self._rekognition, self._name(number))

    def _write(self, **changes: int) -> None:
        write_collections(self._table, replace(self.numbers, **changes))
        self.numbers = read_collections(self._table)
