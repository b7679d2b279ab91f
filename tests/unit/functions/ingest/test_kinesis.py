"""Kinesis batches: a broken record becomes a dead letter, and no record hides its neighbours."""

import base64
import hashlib
import itertools
import json
from collections import Counter

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError
from urllib3.exceptions import SSLError

from tests.support.records.alert_harness import (
    START,
    AlertHarness,
    face,
    match,
    open_session,
    record,
)
from whosthere.errors import TryAgainError
from whosthere.ingest.dead_letter import RECORDS, DeadLetters
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.ingest.record import ProcessingOutcome
from whosthere.metrics import ApiCallCounter
from whosthere.visits.queries import visits_of

BUCKET = "whosthere-failures"


class Logger:
    def __init__(self):
        self.said = []

    def info(self, line, extra):
        self.said.append((line, extra))

    warning = info


class Metrics:
    def __init__(self):
        self.added = []

    def add_metric(self, name, unit, value):
        self.added.append((name, unit, value))


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def kinesis_record(id, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kinesis = {
        "sequenceNumber": id,
        "data": base64.b64encode(data).decode(),
        "approximateArrivalTimestamp": START / 1000,
    }
    arn = "arn:aws:kinesis:us-east-1:111122223333:stream/whosthere-front-door"
    return {"kinesis": kinesis, "eventSourceARN": arn}


class Consumer:
    """A consumer that notes which frames it got, and may fail some."""

    def __init__(self, table, s3, *, fails=()):
        self.fails, self.processed, self.logger, self.metrics = fails, [], Logger(), Metrics()
        letters = DeadLetters(s3, BUCKET, self.logger, self.metrics)
        self.source = KinesisSource(table, "whosthere", letters, ApiCallCounter(), self.logger)

    def consume(self, *records):
        """The sequence numbers of the records that are redelivered."""
        answer = process_batch(self.source, records, self.process)
        return {one["itemIdentifier"] for one in answer["batchItemFailures"]}

    def process(self, _session, frames):
        self.processed += [frame.id for frame in frames]
        errors = {frame.id: OSError() for frame in frames if frame.id in self.fails}
        return ProcessingOutcome(errors, Counter({"records": len(frames) - len(errors)}))


def dead_letters(s3):
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return {
        item["Key"]: json.loads(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
        for item in found
    }


def test_poison_becomes_a_dead_letter_with_the_reason_and_the_rest_goes_on(table, s3):
    open_session(table)
    consumer = Consumer(table, s3)
    broken = record(1)
    del broken["FaceSearchResponse"]
    failed = consumer.consume(
        kinesis_record("1", record(0)),
        kinesis_record("2", broken),
        kinesis_record("3", b"no json"),
        kinesis_record("4", record(2)),
    )
    assert failed == set()
    assert consumer.processed == ["1", "4"]
    letters = dead_letters(s3)
    assert set(letters) == {"failures/records/2.json", "failures/records/3.json"}
    assert "FaceSearchResponse" in letters["failures/records/2.json"]["reason"]
    assert ("record set aside", {"record": "2"}) in consumer.logger.said
    assert consumer.metrics.added == [("RecordsSetAside", "Count", 1)] * 2
    counts = table.get_item(Key={"pk": "session#one", "sk": "session"})["Item"]["counts"]
    assert counts == {"records": 2}


def test_an_id_too_long_for_a_key_becomes_a_dead_letter_and_the_longest_is_recorded(table, s3):
    session = open_session(table)
    consumer = Consumer(table, s3)
    longest, longer = "p" * 1000, "p" * 1001
    seen = [kinesis_record(str(second), record(second, face(match(longest)))) for second in (0, 90)]
    bad = kinesis_record("1", record(0, face(match(longer))))
    harness = AlertHarness(table, session)
    consumer.process = lambda _session, frames: harness.sees(*frames)
    assert consumer.consume(bad, *seen) == set()
    assert "ExternalImageId" in dead_letters(s3)["failures/records/1.json"]["reason"]
    assert [visit.who for visit in visits_of(table, "one", "front-door")] == [longest] * 2


def test_what_no_retry_can_mend_is_set_aside_alone_and_at_once(table, s3):
    open_session(table)
    consumer = Consumer(table, s3)

    def work(_session, frames):
        # As where one frame stops all sightings of a person.
        bad = any(frame.id == "2" for frame in frames)
        errors = {frame.id: ZeroDivisionError("of Alice") for frame in frames if bad}
        return ProcessingOutcome(errors, Counter({"records": 0 if bad else len(frames)}))

    consumer.process = work
    records = [kinesis_record(id, record(0)) for id in "123"]
    assert consumer.consume(*records) == set()
    assert dead_letters(s3) == {
        "failures/records/2.json": {"reason": "ZeroDivisionError", "given": records[1]}
    }
    counts = table.get_item(Key={"pk": "session#one", "sk": "session"})["Item"]["counts"]
    assert counts == {"records": 2}


def test_what_follows_a_record_that_is_set_aside_is_counted(table, s3):
    """Nobody redelivers it: functions count up to the first record that failed."""
    open_session(table)
    consumer = Consumer(table, s3)

    def work(_session, frames):
        errors = {frame.id: ZeroDivisionError() for frame in frames if frame.id == "2"}
        done = itertools.takewhile(lambda frame: frame.id not in errors, frames)
        return ProcessingOutcome(errors, Counter({"records": len(list(done))}))

    consumer.process = work
    assert consumer.consume(*(kinesis_record(id, record(0)) for id in "1234")) == set()
    counts = table.get_item(Key={"pk": "session#one", "sk": "session"})["Item"]["counts"]
    assert counts == {"records": 3}


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "Query"), True),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Query"), True),
        (ClientError({"Error": {"Code": "ValidationException"}}, "PutItem"), False),
        (EndpointConnectionError(endpoint_url="https://sns"), True),
        (SSLError("the answer broke off"), True),
        (ParamValidationError(report="too short"), False),
        (TryAgainError("a row keeps changing"), True),
        (OverflowError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_retried_if_a_retry_can_mend_it(table, s3, error, is_retried):
    open_session(table)
    consumer = Consumer(table, s3)
    consumer.process = lambda _session, frames: ProcessingOutcome(
        {frame.id: error for frame in frames}, Counter()
    )
    assert consumer.consume(kinesis_record("1", record(0))) == ({"1"} if is_retried else set())
    assert bool(dead_letters(s3)) != is_retried


def test_with_strangers_off_poison_leaves_only_reason_size_and_digest(table, s3):
    open_session(table, strangers="off")
    deep = b'{"FaceSearchResponse":' + b"[" * 20_000
    assert Consumer(table, s3).consume(kinesis_record("1", deep)) == set()
    assert dead_letters(s3) == {
        "failures/records/1.json": {
            "reason": "the record is no JSON",
            "size": len(deep),
            "sha256": hashlib.sha256(deep).hexdigest(),
        }
    }


def test_poison_that_cannot_become_a_dead_letter_is_redelivered(table):
    open_session(table)

    class Refuses:
        def put_object(self, **_given):
            raise OSError

    consumer = Consumer(table, Refuses())
    poison, good = kinesis_record("1", b"?"), kinesis_record("2", record(0))
    assert consumer.consume(poison, good) == {"1"}
    assert consumer.processed == ["2"]
    assert consumer.metrics.added == []


def test_records_that_failed_are_named_and_no_others(table, s3):
    open_session(table)
    consumer = Consumer(table, s3, fails=["2"])
    assert consumer.consume(*(kinesis_record(id, record(0)) for id in "123")) == {"2"}
    facts = {"records": 3, "failed": 1, "errors": ["OSError"]}
    assert consumer.logger.said == [("records read", facts)]


def test_all_records_of_a_camera_fail_when_its_session_cannot_be_read(s3):
    class Down:
        def get_item(self, **_given):
            raise OSError

    assert Consumer(Down(), s3).consume(kinesis_record("1", record(0))) == {"1"}


def test_records_of_a_camera_that_never_had_a_session_are_dropped(table, s3):
    consumer = Consumer(table, s3)
    assert consumer.consume(kinesis_record("1", record(0))) == set()
    assert consumer.processed == []


def test_a_dead_letter_is_whole_and_has_the_same_name_at_every_retry(s3):
    given = {"kinesis": {"data": "e30="}, "eventSourceARN": "arn"}
    for _ in range(2):
        letters = DeadLetters(s3, BUCKET, Logger(), Metrics())
        key = letters.put(RECORDS, "495", "a field is missing", given)
    assert dead_letters(s3) == {key: {"reason": "a field is missing", "given": given}}
    assert key == "failures/records/495.json"
