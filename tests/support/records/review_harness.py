"""What tests of decisions need: a bucket whose events are delivered late, twice, in any order."""

import json
import random

from tests.support.records.photo_rekognition import PhotoRekognition
from tests.support.records.stranger_harness import BUCKET, StrangerHarness
from whosthere.errors import DueLaterError
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler
from whosthere.strangers.decisions.reconcile import reconcile_object
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.look_alikes import LookAlikes
from whosthere.strangers.review_queue import StrangerFiles

SALT = "salt"


class ReviewHarness(StrangerHarness):
    """A session with strangers, and an owner who moves their pictures about by S3."""

    def __init__(self, table, s3, **settings):
        super().__init__(table, s3, **settings)
        self.people = PhotoRekognition(s3)
        collection = PeopleCollection(s3, self.people, BUCKET, "people")
        reconciler = PhotoReconciler(table, collection, SALT)
        self.alike = PhotoRekognition(s3)
        files = StrangerFiles(s3, self.alike, BUCKET, "not-persons")
        look_alikes = LookAlikes(table, files, SALT)
        self.review = Review(table, self.files, reconciler, lambda: self.clock(), look_alikes)
        self.events = []  # not delivered yet
        self.waiting = []  # delivered, and due later: (when, event)

    def copy(self, key, target):
        self.s3.copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": key})
        self.events.append(ObjectEvent(target, "us-east-1", "1", "owner"))

    def remove(self, key, *, expired=False):
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.events.append(ObjectEvent(key, "us-east-1", "1", "owner", is_expiry=expired))

    def move(self, key, target):
        self.copy(key, target)
        self.remove(key)

    def decide(self, status, stranger=None):
        """Move the stranger's folder, as `aws s3 mv --recursive` does; return the new keys."""
        stranger = stranger or self.only
        moved = []
        for key in [key for key in self.keys if f"/{stranger}/" in key and "review/" in key]:
            target = f"review/{status}/{stranger}/{key.rpartition('/')[2]}"
            if key != target:
                self.move(key, target)
                moved.append(target)
        return moved

    def deliver(self, *, rng=None):
        """Deliver all events: in order, or each of them once or twice in any order."""
        events, self.events = self.events, []
        if rng:
            events = [event for event in events for _ in range(rng.choice((1, 2)))]
            rng.shuffle(events)
        return [self.deliver_one(event) for event in events]

    def deliver_one(self, event):
        try:
            return reconcile_object(self.review, event)
        except DueLaterError as error:
            self.waiting.append((self.clock() + error.wait_ms, event))
            return "later"

    def pass_time(self, seconds):
        """Let time pass; what is due by then comes again."""
        self.clock.forward(seconds)
        due = [event for when, event in self.waiting if when <= self.clock()]
        self.waiting = [(when, event) for when, event in self.waiting if when > self.clock()]
        return [self.deliver_one(event) for event in due]

    @property
    def only(self):
        (stranger,) = self.strangers
        return stranger["pk"][9:]

    def row(self, stranger):
        key = {"pk": f"stranger#{stranger}", "sk": "stranger"}
        return self.table.get_item(Key=key).get("Item")

    @property
    def decisions(self):
        """What `decisions/` says, in order."""
        found = []
        for key in self.keys:
            if key.startswith("decisions/"):
                found.append(json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))
        return sorted(found, key=lambda line: (line["at"], line["stranger"]))


def any_order(seed):
    return random.Random(seed)
