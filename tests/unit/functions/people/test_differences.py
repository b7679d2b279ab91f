"""Photos whose events never came: found by comparing S3 with the table, and sent to the queue."""

import logging

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.records.alert_harness import a_table, empty
from tests.support.records.drawn_faces import BLUE, RED, draw
from tests.support.records.photo_rekognition import PhotoRekognition
from whosthere.ingest.sqs import read_event
from whosthere.people import differences, photo_keys, store
from whosthere.people.differences import find_differences, refused_photos
from whosthere.people.ownership import People
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler
from whosthere.strangers.differences import send_differences

BUCKET, SALT = "whosthere-differences", "salt"
FACE = (0.4, 0.2, 0.2, 0.3)


class Queue:
    """SQS, and the keys that its messages name."""

    def __init__(self):
        self.keys = []

    def send_message(self, *, QueueUrl, MessageBody):
        assert QueueUrl == "photos"
        self.keys.append(read_event(MessageBody).key)


class Home:
    """A bucket and a table of which no event tells."""

    def __init__(self, table, s3):
        self.s3, self.rekognition, self.queue = s3, PhotoRekognition(s3), Queue()
        self.people = People(table, s3, BUCKET, SALT)
        collection = PeopleCollection(s3, self.rekognition, BUCKET, "people")
        self.reconciler = PhotoReconciler(table, collection, SALT)

    def put(self, *keys, colour=RED):
        for key in keys:
            # Nobody has a photo of somebody else: what follows a JPEG's end is no picture.
            content = draw((FACE, colour)) + key.split("/")[1].encode()
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def remove(self, key):
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def look(self):
        """Send what differs and handle it; return the keys."""
        sent = send_differences(self.people, self.queue, "photos", logging.getLogger())
        keys, self.queue.keys = self.queue.keys, []
        assert len(keys) == sent
        for key in keys:
            self.reconciler.reconcile_photo(key)
        return keys


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield table, s3


@pytest.fixture
def home(shared):
    table, s3 = shared
    empty(table)
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return Home(table, s3)


def test_photos_without_an_event_are_enrolled_and_then_left_alone(home):
    home.put("people/Zoë/1.jpg", "people/Zoë/2.jpg", "people/Ravi/1.jpg")
    assert home.look() == ["people/Ravi/1.jpg", "people/Zoë/1.jpg", "people/Zoë/2.jpg"]
    assert len(home.rekognition.faces) == 3
    assert home.look() == []


def test_a_photo_that_was_replaced_or_removed_without_an_event_is_found(home):
    home.put("people/Zoë/1.jpg", "people/Zoë/2.jpg", "people/Ravi/1.jpg")
    home.look()
    home.put("people/Zoë/1.jpg", colour=BLUE)
    home.remove("people/Zoë/2.jpg")
    home.remove("people/Ravi/1.jpg")  # the last of his: nothing in S3 names him any more
    assert home.look() == ["people/Ravi/1.jpg", "people/Zoë/1.jpg", "people/Zoë/2.jpg"]
    zoe = photo_keys.person_id("Zoë", SALT)
    assert list(home.rekognition.faces.values()) == [(zoe, BLUE)]
    assert store.persons(home.people.table) == [zoe]
    assert home.look() == []


def test_a_refused_photo_is_not_tried_again_until_it_changes(home):
    home.s3.put_object(Bucket=BUCKET, Key="people/Zoë/1.jpg", Body=b"no picture")
    assert home.look() == ["people/Zoë/1.jpg"]
    assert home.look() == []
    home.put("people/Zoë/1.jpg")
    assert home.look() == ["people/Zoë/1.jpg"]


def test_what_is_no_photo_of_anybody_is_refused_with_the_reason_and_sent_nowhere(home):
    home.put("people/Ann/2026/1.jpg", "people/ann.jpg", "people//1.jpg", "people/Ann/", "people/")
    assert home.look() == []
    assert dict(refused_photos(home.people)) == dict.fromkeys(
        ("people/Ann/2026/1.jpg", "people/ann.jpg", "people//1.jpg"), photo_keys.MISPLACED
    )


def test_one_look_is_bounded_and_the_next_goes_on(home, monkeypatch):
    monkeypatch.setattr(differences, "MOST_SENT", 12)
    monkeypatch.setattr(differences, "MOST_PERSONS", 5)
    keys = [f"people/person {number:02}/{photo}.jpg" for number in range(9) for photo in range(3)]
    home.put(*keys)
    looks = 0
    while find_differences(home.people) and looks < 100:
        assert len(home.look()) <= 12
        looks += 1
    # Five of nine persons at a time: it takes some more looks until all were looked at.
    for _ in range(20):
        home.look()
    assert len(home.rekognition.faces) == len(keys)


def test_more_photos_than_one_look_lists_do_not_look_removed(home, monkeypatch):
    home.put("people/a/1.jpg", "people/b/1.jpg", "people/c/1.jpg")
    home.look()
    monkeypatch.setattr(differences, "MOST_OBJECTS", 2)
    assert home.look() == []


def test_a_look_that_fails_is_no_reason_to_fail_a_session(home, monkeypatch):
    def refused(**_given):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "SendMessage")

    home.put("people/Zoë/1.jpg")
    monkeypatch.setattr(home.queue, "send_message", refused)
    assert send_differences(home.people, home.queue, "photos", logging.getLogger()) == 0
