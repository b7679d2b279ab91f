"""What tagged fragments cause: in order, within bounds, and nobody is told of a failure."""

import logging
import threading

import pytest

from local.kinesisvideo.store.fragment_index import Fragment
from local.kinesisvideo.store.images import UndecodableError
from local.kinesisvideo.store.notifications import Notifier
from local.kinesisvideo.store.streams import DelayedSetting, Stream
from local.kinesisvideo.store.work_queue import CAPACITY, WorkQueue
from local.ministack import Principal
from local.security.iam import AccessDenied
from local.security.signing import ServiceError

CALLER = Principal("arn:aws:sts::000000000000:assumed-role/camera/pi")
DOOR = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1"
TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"


@pytest.fixture
def work_queue():
    made = WorkQueue("images")
    yield made
    made.stop()


def test_tasks_have_their_turn_in_order(work_queue):
    done = []
    for number in range(CAPACITY):
        work_queue.submit(done.append, number)
    work_queue.finish()
    assert done == list(range(CAPACITY))


def test_what_there_is_no_room_for_is_dropped_and_counted(work_queue, caplog):
    hold, done = threading.Event(), []
    work_queue.submit(hold.wait, 30)
    for number in range(CAPACITY + 4):
        work_queue.submit(done.append, number)
    assert work_queue.dropped == 5
    assert "images: the queue is full, 5 fragments dropped" in caplog.text
    hold.set()
    work_queue.finish()
    assert done == list(range(CAPACITY - 1))


def test_room_comes_back_as_tasks_are_done(work_queue):
    for _ in range(4 * CAPACITY):
        done = threading.Event()
        work_queue.submit(done.set)
        assert done.wait(30)
    assert work_queue.dropped == 0


def test_what_comes_while_the_laptop_aws_stops_is_dropped_without_a_word(work_queue, caplog):
    work_queue.stop()
    work_queue.submit(caplog.handler.emit)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (AccessDenied("User: camera is not authorized"), logging.INFO),
        (ServiceError("NoSuchBucket", "front-door-pictures"), logging.INFO),
        (UndecodableError("front-door"), logging.INFO),
        (ValueError("odd"), logging.ERROR),
    ],
    ids=["denied", "refused", "undecodable", "a mistake of ours"],
)
def test_a_failure_ends_nothing(work_queue, caplog, error, level):
    caplog.set_level(logging.INFO)
    done = []

    def fail():
        raise error

    work_queue.submit(fail)
    work_queue.submit(done.append, "next")
    work_queue.finish()
    assert done == ["next"]
    [record] = caplog.records
    assert record.levelno == level
    assert "front-door" not in record.getMessage()


class Topic:
    """What would be SNS, and the notifier that tells it."""

    def __init__(self, status="ENABLED"):
        self.now, self.told = 1000.0, []
        self.notifier = Notifier(60, lambda: self.now, self.publish)
        asked = {"Status": status, "DestinationConfig": {"Uri": TOPIC}}
        self.stream = Stream("door", DOOR, 0.0, 24, notifications=DelayedSetting(asked, 940.0))

    def publish(self, caller, topic, message, *, subject):
        assert (caller, topic) == (CALLER, TOPIC)
        self.told.append(message)

    def take(self, *tags):
        fragment = Fragment("17", 1, 2000, 3000, 0, 1000, 10, 20, tags)
        self.notifier.submit_if_tagged(self.stream, fragment, CALLER)
        self.notifier.work_queue.finish()
        return len(self.told)


TAG = ("AWS_KINESISVIDEO_NOTIFICATION", "")


def test_only_tagged_fragments_are_told_of():
    assert Topic().take(TAG) == 1
    assert Topic().take(("zone", "7")) == 0
    assert Topic().take(("AWS_KINESISVIDEO_IMAGE_GENERATION", "")) == 0


def test_notifications_hold_only_while_enabled_and_a_while_after_they_were_asked_for():
    assert Topic("DISABLED").take(TAG) == 0
    early = Topic()
    early.now = 999.9
    assert early.take(TAG) == 0
