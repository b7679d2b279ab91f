"""Odd events among good ones: none is raised, none is retried in vain, each good one is done."""

import base64
import hashlib
import json
from functools import partial
from types import SimpleNamespace

import boto3
import pytest
from hypothesis import strategies

from tests.support.records.alert_harness import START, AlertHarness, a_table, empty, open_session
from tests.support.records.drawn_faces import RED, Rekognition, Urls, draw
from tests.support.records.given_many import given_many
from tests.support.records.odd_batches import LettersBucket, silent
from tests.support.records.odd_pictures import odd_pictures
from tests.support.records.odd_records import DEEP, odd_values
from tests.support.records.photo_rekognition import PhotoRekognition
from whosthere.clock import now_ms
from whosthere.image_search import ImageSearch, search_image
from whosthere.ingest import image as images
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.sqs import SqsSource, process_sqs_batch
from whosthere.metrics import ApiCallCounter
from whosthere.people.photo_keys import person_id
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler
from whosthere.people.store import person_key
from whosthere.strangers.decisions.reconcile import reconcile_object
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.look_alikes import LookAlikes
from whosthere.strangers.review_queue import StrangerFiles

BUCKET = "whosthere-events"
SIZE = 5  # odd events of one batch
PICTURE = draw(((0.4, 0.2, 0.2, 0.3), RED))
GOOD_PHOTO, GOOD_IMAGE = "people/Beth/1.jpg", "frames/whosthere-front-door/good.jpg"
TOLD = {images.PRODUCER: str(START), images.SERVER: str(START + 400), images.FRAGMENT: "913438"}
folders = [
    "people/Ann/",
    "people/",
    "review/pending/s-1/",
    "frames/whosthere-front-door/",
    "frames/",
    "",
    "/",
]
letters = strategies.characters() | strategies.sampled_from("/.\x00\ud800\u0958𝅘𝅥𝅮%+ ")
keys = strategies.builds(
    lambda folder, name, times, end: folder + name * times + end,
    strategies.sampled_from(folders),
    strategies.text(letters, max_size=4),
    strategies.sampled_from([1, 1, 1, 250]),
    strategies.sampled_from(["", ".jpg", ".png", "/1.jpg", "sighting.json"]),
)
objects = strategies.tuples(keys, odd_pictures())
bodies = odd_values().map(json.dumps) | strategies.text(max_size=20)
bodies |= strategies.sampled_from(["[" * DEEP, "{}", '{"detail": {"object": {"key": 7}}}'])


def s3_event(key):
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return json.dumps({"account": "111122223333", "region": "us-east-1", "detail": detail})


def message(number, body):
    sent = {"SentTimestamp": str(START), "ApproximateReceiveCount": "1"}
    named = {"messageId": f"m{number}", "receiptHandle": "h", "eventSourceARN": "arn"}
    return {**named, "body": body, "attributes": sent}


def letters_of():
    """A bucket, and what puts dead letters into it."""
    bucket = LettersBucket()
    said = SimpleNamespace(info=silent, warning=silent, add_metric=silent)
    return bucket, DeadLetters(bucket, BUCKET, said, said)


class Events:
    """A table, a bucket and what works on their events."""

    def __init__(self, table, s3):
        self.table, self.s3, self.harness = table, s3, AlertHarness(table, open_session(table))
        self.rekognition = PhotoRekognition(s3)
        collection = PeopleCollection(s3, self.rekognition, BUCKET, "people")
        # A minute later: the same content under another name is not on its way there.
        self.reconciler = PhotoReconciler(table, collection, "salt", lambda: now_ms() + 61_000)
        self.files = StrangerFiles(s3, Eyes(), BUCKET, "strangers")

    def deliver(self, work, found, odd_bodies, good):
        """Deliver events of these objects and bodies and a good one: none comes back."""
        for key, content in found:
            self.put(key, content)
        sent = [*map(s3_event, (key for key, _ in found)), *odd_bodies, s3_event(good)]
        records = [message(number, body) for number, body in enumerate(sent)]
        bucket, letters = letters_of()
        sqs = SimpleNamespace(change_message_visibility=silent)
        source = SqsSource(sqs, "url", letters, lambda: START)
        answer = process_sqs_batch(source, records, work)
        reasons = {key: letter["reason"] for key, letter in bucket.letters.items()}
        assert answer == {"batchItemFailures": []}, reasons
        assert all(reasons.values())
        assert f"failures/events/m{len(records) - 1}.json" not in reasons

    def put(self, key, content, **more):
        try:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, **more)
        except Exception:  # an event may name a key that no object can have
            return


class Eyes(Rekognition):
    """Finds one face in each picture."""

    def detect_faces(self, **_):
        box = {"Left": 0.4, "Top": 0.2, "Width": 0.2, "Height": 0.3}
        looks = {"Pose": {"Yaw": 0.0}, "Quality": {"Brightness": 60.0, "Sharpness": 80.0}}
        return {"FaceDetails": [{"BoundingBox": box, "Confidence": 99.0, **looks}]}


@pytest.fixture
def events():
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield Events(table, s3)


found = strategies.lists(objects, min_size=SIZE - 1, max_size=SIZE - 1)
odd_bodies = strategies.lists(bodies, min_size=1, max_size=1)


@given_many(10_000, found, odd_bodies, size=SIZE)
def test_every_photo_beside_odd_events_is_enrolled(events, found, odd_bodies):
    empty(events.table)
    events.put(GOOD_PHOTO, PICTURE)
    work = lambda event: events.reconciler.reconcile_photo(event.key)  # noqa: E731
    events.deliver(work, found, odd_bodies, GOOD_PHOTO)
    beth = events.table.get_item(Key=person_key(person_id("Beth", "salt")))
    assert beth["Item"]["name"] == "Beth"


@given_many(10_000, found, odd_bodies, size=SIZE)
def test_every_deletion_beside_odd_events_is_done(events, found, odd_bodies):
    empty(events.table)
    events.put(GOOD_PHOTO, PICTURE)
    events.reconciler.reconcile_photo(GOOD_PHOTO)
    events.s3.delete_object(Bucket=BUCKET, Key=GOOD_PHOTO)

    look_alikes = LookAlikes(events.table, events.files, "salt")
    review = Review(events.table, events.files, events.reconciler, lambda: START, look_alikes)
    events.deliver(partial(reconcile_object, review), found, odd_bodies, GOOD_PHOTO)
    assert "Item" not in events.table.get_item(Key=person_key(person_id("Beth", "salt")))


@given_many(10_000, found, odd_bodies, size=SIZE)
def test_every_image_beside_odd_events_is_searched(events, found, odd_bodies):
    events.put(GOOD_IMAGE, PICTURE, Metadata=TOLD)
    for key, content in found:
        events.put(f"frames/whosthere-front-door/{len(key)}.jpg", content, Metadata=TOLD)
    named = [(f"frames/whosthere-front-door/{len(key)}.jpg", content) for key, content in found]
    kept, letters = letters_of()
    search = ImageSearch(
        "whosthere", events.files, Urls(), "people", ApiCallCounter(), letters, "alike"
    )
    done = {}

    def work(event):
        prefix = event.stream_arn_prefix
        done[event.key] = search_image(search, events.harness.worker(), event.key, prefix)

    bodies_of_both = [*odd_bodies, *(s3_event(key) for key, _ in named)]
    events.deliver(work, found, bodies_of_both, GOOD_IMAGE)
    assert done[GOOD_IMAGE] == "searched"
    refused = {key for key, what in done.items() if what == "refused"}
    assert {letter["given"]["key"] for letter in kept.letters.values()} <= refused


@pytest.mark.parametrize("strangers", ["alert", "off"])
def test_an_image_that_cannot_be_used_is_kept_or_leaves_its_digest(events, strangers):
    empty(events.table)
    open_session(events.table, strangers=strangers)
    events.put(GOOD_IMAGE, b"no image", Metadata=TOLD)
    kept, letters = letters_of()
    search = ImageSearch(
        "whosthere", events.files, Urls(), "people", ApiCallCounter(), letters, "alike"
    )
    done = [search_image(search, events.harness.worker(), GOOD_IMAGE, "arn") for _ in range(2)]
    assert done == ["refused"] * 2
    (letter,) = kept.letters.values()
    assert letter.pop("reason") == "the image is no JPEG or PNG"
    if strangers == "off":
        assert letter == {"size": 8, "sha256": hashlib.sha256(b"no image").hexdigest()}
    else:
        image = base64.b64encode(b"no image").decode()
        assert letter == {"given": {"key": GOOD_IMAGE, "image": image}}


def test_an_image_that_is_gone_leaves_nothing(events):
    kept, letters = letters_of()
    search = ImageSearch(
        "whosthere", events.files, Urls(), "people", ApiCallCounter(), letters, "alike"
    )
    gone = "frames/whosthere-front-door/gone.jpg"
    assert search_image(search, events.harness.worker(), gone, "arn") == "refused"
    assert not kept.letters
