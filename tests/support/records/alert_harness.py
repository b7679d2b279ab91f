"""What tests of alerts need: records, a session, and what the subscriber got."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from whosthere import settings
from whosthere.ingest.record import read_frame
from whosthere.people.store import person_key
from whosthere.session import lock as locks
from whosthere.session_store import Session
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import AlertContext, Lease

START = 1_800_000_000_000  # 2027-01-15, in milliseconds
STREAM = "arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-front-door/1586555054989"
LEFT, RIGHT = (0.2, 0.3, 0.1, 0.2), (0.6, 0.3, 0.1, 0.2)


@contextmanager
def a_table():
    """The product's table in moto, for many tests: making one takes longer than a test."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        yield boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="whosthere",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )


def empty(table):
    with table.batch_writer() as rows:
        for item in table.scan()["Items"]:
            rows.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})


def match(person, similarity=99.0, face_id="f0"):
    enrolled = {
        "BoundingBox": {"Left": 0.2, "Top": 0.2, "Width": 0.5, "Height": 0.6},
        "FaceId": face_id,
        "Confidence": 99.9,
        "ImageId": f"image-{face_id}",
        "ExternalImageId": person,
    }
    return {"Similarity": similarity, "Face": enrolled}


def face(*matches, box=LEFT, confidence=99.9, sharpness=80.0, brightness=60.0, yaw=3.0):
    left, top, width, height = box
    return {
        "DetectedFace": {
            "BoundingBox": {"Left": left, "Top": top, "Width": width, "Height": height},
            "Confidence": confidence,
            "Landmarks": [{"X": left, "Y": top, "Type": "nose"}],
            "Pose": {"Pitch": 1.0, "Roll": -2.0, "Yaw": yaw},
            "Quality": {"Brightness": brightness, "Sharpness": sharpness},
        },
        "MatchedFaces": list(matches),
    }


def record(second, *faces, server_ahead=0.4, fragment="91343852333181432392682062607743920"):
    return {
        "InputInformation": {
            "KinesisVideo": {
                "StreamArn": STREAM,
                "FragmentNumber": fragment,
                "ServerTimestamp": START / 1000 + second + server_ahead,
                "ProducerTimestamp": START / 1000 + second,
                "FrameOffsetInSeconds": 0.0,
            }
        },
        "StreamProcessorInformation": {"Status": "RUNNING"},
        "FaceSearchResponse": list(faces),
    }


def received(second, *faces, **more):
    made = record(second, *faces, **more)
    frame = read_frame(made, "whosthere", id=f"at-{second}", recognised_ms=0)
    return replace(frame, recognised_ms=frame.server_ms + 300)


def values(**changed):
    return settings.defaults() | {"gapSeconds": 60} | changed


def open_session(table, session_id="one", started=-10.0, **changed):
    """A running session on the front door, `started` in seconds from the start."""
    merged = values(**changed)
    session = Session(
        id=session_id,
        camera="front-door",
        engine="stream-processor",
        execution=f"arn:{session_id}",
        started_ms=START + round(1000 * started),
        deadline_ms=START + 3_600_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(merged),
    )
    locks.open_session(table, session, merged)
    return session


@dataclass
class Subscriber:
    """Who gets the alerts; may refuse some first."""

    alerts: list = field(default_factory=list)
    refusals: list = field(default_factory=list)

    def __call__(self, alert):
        if self.refusals:
            raise self.refusals.pop(0)
        self.alerts.append(alert)

    @property
    def subjects(self):
        return [alert.subject for alert in self.alerts]


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    moment_ms: int = START

    def __call__(self):
        return self.moment_ms

    def forward(self, seconds):
        self.moment_ms += round(1000 * seconds)

    def wait(self, milliseconds):
        self.moment_ms += milliseconds


@dataclass
class AlertHarness:
    """A session with everything around it; one worker of several is a `worker()`."""

    table: object
    session: Session
    subscriber: Subscriber = field(default_factory=Subscriber)
    clock: Clock = field(default_factory=Clock)

    def worker(self, table=None, publish=None):
        lease = Lease(self.clock, 65_000)
        return AlertContext(table or self.table, publish or self.subscriber, lease)

    def sees(self, *batch, worker=None):
        return alert_persons(worker or self.worker(), self.session, list(batch))

    def ended(self, second):
        self.session = replace(self.session, held=False, ended_ms=START + round(1000 * second))

    def name(self, person, name):
        self.table.put_item(Item=person_key(person) | {"name": name, "version": 1})


def refusal(call):
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, call)


class Killed(BaseException):
    """A worker that is gone, and with it all that it would have done."""


class FlakyTable:
    """The table as a worker sees it who dies, or is refused, at one of its calls."""

    CALLS = ("get_item", "put_item", "update_item", "query")

    def __init__(self, table, at, error, *, after):
        self._table, self._at, self._error, self._after = table, at, error, after
        self.calls, self.name, self.meta = 0, table.name, self
        self.client = self

    def __getattr__(self, name):
        of_client = name in ("transact_write_items", "batch_get_item")
        call = getattr(self._table.meta.client if of_client else self._table, name)

        def counted(**given):
            self.calls += 1
            if self.calls != self._at:
                return call(**given)
            if self._after:
                call(**given)
            raise self._error

        return counted


class RacingTable:
    """The table, where another worker does its work right before the nth write."""

    def __init__(self, table, at, other):
        self._table, self._at, self._other = table, at, other
        self.writes, self.name, self.meta, self.client = 0, table.name, self, self

    def __getattr__(self, name):
        if name == "transact_write_items":
            return self._before(self._table.meta.client.transact_write_items)
        if name == "batch_get_item":
            return self._table.meta.client.batch_get_item
        call = getattr(self._table, name)
        return self._before(call) if name in ("put_item", "update_item") else call

    def _before(self, call):
        def write(**given):
            self.writes += 1
            if self.writes == self._at:
                self._other()
            return call(**given)

        return write
