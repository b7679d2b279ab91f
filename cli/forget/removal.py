"""Remove all that is kept of somebody, in an order in which nothing comes back.

Faces go first, so that nobody is recognised any more; then rows, so that a function that sees a
picture go finds nobody to put back; then objects. Workers that had read before may write
afterwards, so everything is looked at again until nothing is found.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, cast

from cli.aws.replay_failures import (
    HIDDEN_SECONDS,
    ON_FAILURE_PREFIX,
    failure_keys,
    received_messages,
)
from cli.aws.target import Target
from cli.errors import VerbError
from cli.forget.failures import concerns, texts_within, without
from cli.forget.plan import ForgetPlan, label_of, read_plans, remove_plans, write_plan
from cli.forget.rows import change_row, changes_of, is_theirs
from whosthere import dynamodb
from whosthere.ingest import dead_letter
from whosthere.names import PHOTO_MARK
from whosthere.people.photo_keys import PREFIX
from whosthere.strangers.review_queue import PICTURE

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef
    from mypy_boto3_sqs import SQSClient

    type Identifiers = list[ObjectIdentifierTypeDef]

# While a session runs, a worker may have read what is gone by now: no invocation takes longer.
GRACE_SECONDS = 90
MOST_PASSES = 6
HIDDEN: Final = "ApproximateNumberOfMessagesNotVisible"
MOST_FACES = 4096  # Rekognition, DeleteFaces: FaceIds
MOST_OBJECTS = 1000  # S3, DeleteObjects
FAILURES = (dead_letter.RECORDS, dead_letter.EVENTS, ON_FAILURE_PREFIX)


def forget(target: Target, plan: ForgetPlan, *, always_twice: bool = False) -> Counter[str]:
    """Do a plan, and what is left of interrupted ones; return how much of what was removed.

    With `always_twice` it takes as long whether anything is found or not.
    """
    table = target.table()
    write_plan(table, plan)
    whole = read_plans(table) | plan
    removed: Counter[str] = Counter()
    for number in range(MOST_PASSES):
        step = RemovalPass(target, whole)
        step.run()
        removed += step.removed
        is_first = always_twice and number == 0
        if not step.removed and not is_first:
            remove_plans(table, whole)
            return removed
        if step.is_watching and number == 0:
            time.sleep(GRACE_SECONDS)
    raise VerbError("more is kept of them all the time; say it again once no session runs")


class RemovalPass:
    """One look at all that a stack keeps, and the removal of what a plan names."""

    def __init__(self, target: Target, plan: ForgetPlan) -> None:
        """Begin with nothing removed."""
        self.removed: Counter[str] = Counter()
        self.is_watching = False
        self._plan, self._table, self._target = plan, target.table(), target
        self._files = target.stranger_files()
        self._s3, self._bucket = self._files.s3, self._files.bucket
        self._concerns = concerns(plan)
        self._labels = {label for key in plan.keys if (label := label_of(target, key))}

    def run(self) -> None:
        """Remove what is found, and count it."""
        for collection in self._target.people_collections():
            self._remove_faces("facesOfPeople", collection)
        self._remove_faces("facesOfStrangers", self._files.collection)
        self._remove_faces("facesOfLookAlikes", self._target.look_alikes_collection)
        self._remove_rows()
        for prefix in sorted(self._plan.folders | self._plan.keys):
            self._remove_objects(prefix)
        self._clear_failures()
        self._remove_dead_letters()
        self._clear_decisions()

    def _remove_faces(self, kind: str, collection: str) -> None:
        """Remove faces by their labels, so those too that no row knows."""
        rekognition = self._files.rekognition
        pages = rekognition.get_paginator("list_faces").paginate(CollectionId=collection)
        found = [
            face["FaceId"]
            for page in pages
            for face in page["Faces"]
            if (label := face.get("ExternalImageId", ""))
            and (label.partition(PHOTO_MARK)[0] in self._plan.ids or label in self._labels)
        ]
        for part in batched(found, MOST_FACES, strict=False):
            rekognition.delete_faces(CollectionId=collection, FaceIds=list(part))
        self._count(kind, len(found))

    def _remove_rows(self) -> None:
        gone, changed = [], []
        for row in dynamodb.scan(self._table):
            self.is_watching |= row["sk"] == "lock" and bool(row.get("held"))
            if is_theirs(row, self._plan):
                gone.append(row)
            elif changes := changes_of(row, self._plan, self._labels):
                changed.append((row, changes))
        # Strangers first: while one has a row, a function that sees a picture go moves the others.
        gone.sort(key=lambda row: row["sk"] != "stranger")
        with self._table.batch_writer() as batch:
            for row in gone:
                batch.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})
        for row, changes in changed:
            change_row(self._table, row, changes)
        self._count("visits", sum("opened" in row and "first" in row for row in gone))
        self._count("rows", len(gone) + len(changed))

    def _remove_objects(self, prefix: str) -> None:
        """Remove what lies under a prefix, or a key, with all versions.

        First as anybody deletes it: else a version before would be the object again.
        """
        found, markers = self._versions(prefix)
        if found:
            self._delete([{"Key": key} for key in dict.fromkeys(one["Key"] for one in found)])
            self._purge(prefix)
        elif markers:
            self._delete(markers)
        self._count("photos", sum(one["Key"].startswith(PREFIX) for one in found))
        pictures = [one for one in found if not one["Key"].startswith(PREFIX)]
        self._count("pictures", sum(one["Key"].endswith(PICTURE) for one in pictures))
        self._count("queueItems", sum(not one["Key"].endswith(PICTURE) for one in pictures))

    def _purge(self, prefix: str) -> None:
        """Remove the versions of what is deleted, then what says that it is."""
        versions, markers = self._versions(prefix)
        self._delete(versions)
        self._delete(markers)

    def _versions(self, prefix: str, *, old: bool = False) -> "tuple[Identifiers, Identifiers]":
        """Return versions and markers of deletion under a prefix; with `old` not the newest."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        found: dict[str, Identifiers] = {"Versions": [], "DeleteMarkers": []}
        for page in cast("Any", pages):
            for kind, listed in found.items():
                listed += [
                    {"Key": item["Key"], "VersionId": item["VersionId"]}
                    for item in page.get(kind, ())
                    if (prefix.endswith("/") or item["Key"] == prefix)
                    and not (old and item["IsLatest"])
                ]
        return found["Versions"], found["DeleteMarkers"]

    def _delete(self, objects: "Iterable[ObjectIdentifierTypeDef]") -> None:
        for part in batched(objects, MOST_OBJECTS, strict=False):
            answer = self._s3.delete_objects(
                Bucket=self._bucket, Delete={"Objects": list(part), "Quiet": True}
            )
            if errors := answer.get("Errors"):
                raise VerbError(f"S3 does not delete all objects: {errors[0].get('Code')}")

    def _clear_failures(self) -> None:
        for key in failure_keys(self._s3, self._bucket, FAILURES):
            for body in self._bodies(key):
                after = without(body, self._concerns)
                if after is not None:
                    self._replace(key, after)
                    self._count("failures", 1)

    def _clear_decisions(self) -> None:
        """Remove from the decisions about strangers which pictures they were made on."""
        prefixes = tuple(f"decisions/{stranger}-" for stranger in self._plan.strangers)
        for key in failure_keys(self._s3, self._bucket, prefixes):
            for body in self._bodies(key):
                line = json.loads(body)
                if line["stranger"] in self._plan.ids and line["pictures"]:
                    line["pictures"] = []
                    self._replace(key, f"{json.dumps(line, ensure_ascii=False)}\n".encode())
                    self._count("picturesOfDecisions", 1)

    def _bodies(self, key: str) -> Iterator[bytes]:
        """Yield the body of an object, unless it has gone meanwhile."""
        try:
            yield self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return

    def _replace(self, key: str, body: bytes) -> None:
        """Replace an object, or delete it if nothing is left, with the versions before."""
        if body:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json"
            )
            self._delete(self._versions(key, old=True)[0])
            return
        self._delete([{"Key": key}])
        self._purge(key)

    def _remove_dead_letters(self) -> None:
        """Remove messages from the dead-letter queue; the others can be read again at once."""
        sqs, url = self._target.session.client("sqs"), self._target.output("DeadLetterQueueUrl")
        self._wait_for_hidden(sqs, url)
        others = []
        for message in received_messages(sqs, url):
            handle = message["ReceiptHandle"]
            if any(map(self._concerns, texts_within(message["Body"]))):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
                self._count("deadLetters", 1)
            else:
                others.append(handle)
        for handle in others:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)

    def _wait_for_hidden(self, sqs: "SQSClient", url: str) -> None:
        """Wait for messages that somebody has read, perhaps this verb before it was killed."""
        for _ in range(HIDDEN_SECONDS):
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[HIDDEN])
            if asked["Attributes"][HIDDEN] == "0":
                return
            time.sleep(1)

    def _count(self, kind: str, number: int) -> None:
        if number:
            self.removed[kind] += number
