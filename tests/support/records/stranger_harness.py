"""What tests of strangers need: a session that queues them, on moto's table and bucket."""

from contextlib import contextmanager

import boto3

from tests.support.records.alert_harness import (
    LEFT,
    AlertHarness,
    Clock,
    a_table,
    empty,
    face,
    match,
    open_session,
    received,
)
from tests.support.records.drawn_faces import Rekognition, Urls, Video
from whosthere.strangers.process import queue_strangers
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles

BUCKET = "whosthere-bucket"
ALICE = "p-alice"


@contextmanager
def a_table_and_a_bucket():
    """For many tests."""
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield table, s3


def new_harness(shared, **settings):
    """An empty one."""
    table, s3 = shared
    empty(table)
    empty_bucket(s3)
    return StrangerHarness(table, s3, **settings)


class StrangerHarness(AlertHarness):
    """A session whose strangers are queued."""

    def __init__(self, table, s3, **settings):
        super().__init__(table, open_session(table, **settings))
        self.video, self.rekognition, self.s3 = Video(), Rekognition(), s3
        self.files = StrangerFiles(s3, self.rekognition, BUCKET, "strangers")

    def context(self, *, files=None, video=None, wait=None):
        image = (video or self.video).image
        return StrangerContext(files or self.files, Urls(), image, wait or self.clock.wait)

    def sees(self, *batch, worker=None, context=None):
        alerting, context = worker or self.worker(), context or self.context()
        return queue_strangers(alerting, context, self.session, list(batch))

    @property
    def keys(self):
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        return sorted(item["Key"] for item in found)

    @property
    def pictures(self):
        return [key for key in self.keys if key.endswith(".jpg")]

    @property
    def strangers(self):
        items = self.table.scan()["Items"]
        return sorted(
            (item for item in items if item["sk"] == "stranger"), key=lambda item: item["firstSeen"]
        )

    def clear(self):
        empty_bucket(self.s3)
        for item in self.table.scan()["Items"]:
            made = item["sk"].startswith("visit#") or item["pk"].startswith(("day#", "visits#"))
            if made or item["sk"] in ("stranger", "tracks"):
                self.table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
        self.subscriber.alerts.clear()
        self.rekognition.faces.clear()
        self.clock = Clock()


def empty_bucket(s3):
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])


def somebody(second, box=LEFT, **looks):
    return received(second, face(box=box, **looks))


def alice(second, box=LEFT, similarity=99.0):
    return received(second, face(match(ALICE, similarity), box=box))
