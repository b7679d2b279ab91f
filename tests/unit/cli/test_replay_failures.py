"""What failed is put back into its stream: whole, in order, once, from both places it lies in."""

import base64
import json
import logging
from unittest.mock import Mock

import boto3
import pytest

from cli.aws.replay_failures import parse_failure, replay_failures, resend_dead_letters
from tests.support.records.alert_harness import record
from whosthere.ingest import dead_letter

BUCKET = "whosthere-failures"
REGION = "arn:aws:kinesis:us-east-1:123456789012:stream/"


@pytest.fixture
def clients(aws):
    s3, kinesis = boto3.client("s3"), boto3.client("kinesis")
    s3.create_bucket(Bucket=BUCKET)
    for name in ("whosthere-front-door", "whosthere-back-door"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    return s3, kinesis


@pytest.fixture
def sqs(clients):
    client = boto3.client("sqs")
    client.create_queue(QueueName="whosthere-frames")
    return client


def letters(s3):
    return dead_letter.DeadLetters(s3, BUCKET, logging.getLogger(), Mock())


def came(number, body, camera="front-door"):
    """A record as a function gets it."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {
        "kinesis": {
            "partitionKey": f"key-{number}",
            "sequenceNumber": str(number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1.5,
        },
        "eventID": f"shardId-000000000000:{number}",
        "eventSourceARN": f"{REGION}whosthere-{camera}",
    }


def give_up(s3, name, *records, as_text=False):
    """Lambda's record of a batch that it gave up."""
    event = {"Records": list(records)}
    body = {
        "requestContext": {"condition": "RecordAgeExceeded"},
        "KinesisBatchInfo": {"batchSize": len(records)},
        "payload": json.dumps(event) if as_text else event,
    }
    key = f"aws/lambda/0f1e/shardId-000000000000/2026/11/22/{name}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(body).encode())


def put_back(kinesis, camera="front-door"):
    stream = f"whosthere-{camera}"
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return [
        (item["PartitionKey"], item["Data"])
        for item in kinesis.get_records(ShardIterator=iterator)["Records"]
    ]


def test_records_of_both_kinds_come_back_in_order_and_whole(clients, sqs):
    s3, kinesis = clients
    bodies = {number: json.dumps(record(number)).encode() for number in (3, 20, 100)}
    letters(s3).put(dead_letter.RECORDS, "100", "a field is missing", came(100, bodies[100]))
    give_up(s3, "a", came(20, bodies[20]))
    give_up(s3, "b", came(3, bodies[3]), as_text=True)
    done = replay_failures(s3, kinesis, sqs, BUCKET)
    assert done.records == {f"{REGION}whosthere-front-door": 3}
    assert put_back(kinesis) == [(f"key-{n}", bodies[n]) for n in (3, 20, 100)]
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_what_both_functions_failed_on_comes_back_once(clients, sqs):
    s3, kinesis = clients
    for name in "ab":
        give_up(s3, name, came(1, b"{}"), came(2, b"[]"))
    letters(s3).put(dead_letter.RECORDS, "2", "reason", came(2, b"[]"))
    replay_failures(s3, kinesis, sqs, BUCKET)
    assert put_back(kinesis) == [("key-1", b"{}"), ("key-2", b"[]")]


def test_each_record_goes_to_the_stream_that_it_came_from(clients, sqs):
    s3, kinesis = clients
    give_up(s3, "a", came(1, b"{}"), came(1, b"[]", "back-door"))
    replay_failures(s3, kinesis, sqs, BUCKET)
    assert put_back(kinesis) == [("key-1", b"{}")]
    assert put_back(kinesis, "back-door") == [("key-1", b"[]")]


def test_what_is_no_failure_stays_and_is_named(clients, sqs):
    s3, kinesis = clients
    key = "aws/lambda/else"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"?")
    s3.put_object(Bucket=BUCKET, Key="failures/records/1.json", Body=b'{"given": {}}')
    s3.put_object(Bucket=BUCKET, Key="people/Alice/1.jpg", Body=b"x")
    done = replay_failures(s3, kinesis, sqs, BUCKET)
    assert done.records == {}
    assert sorted(done.unreadable) == [key, "failures/records/1.json"]
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 3


def test_the_digest_of_a_record_stays_and_is_named(clients, sqs):
    s3, kinesis = clients
    digest = {"reason": "the record is no JSON", "size": 7, "sha256": "0" * 64}
    s3.put_object(Bucket=BUCKET, Key="failures/records/2.json", Body=json.dumps(digest))
    done = replay_failures(s3, kinesis, sqs, BUCKET)
    assert (done.records, done.unreadable) == ({}, ["failures/records/2.json"])
    assert len(s3.list_objects_v2(Bucket=BUCKET)["Contents"]) == 1


def test_a_replay_that_is_stopped_half_way_loses_nothing(clients, sqs):
    s3, kinesis = clients
    give_up(s3, "a", *(came(number, b"{}") for number in range(1, 6)))

    class Stops:
        left = 3

        def put_record(self, **given):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return kinesis.put_record(**given)

    with pytest.raises(KeyboardInterrupt):
        replay_failures(s3, Stops(), sqs, BUCKET)
    replay_failures(s3, kinesis, sqs, BUCKET)
    keys = [key for key, _ in put_back(kinesis)]
    assert keys[3:] == [f"key-{number}" for number in range(1, 6)]


def test_an_empty_bucket_is_nothing_to_do(clients, sqs):
    assert replay_failures(*clients, sqs, BUCKET).records == {}


def test_the_two_kinds_read_alike():
    one = came(7, b"{}")
    ours = json.dumps({"reason": "r", "given": one}).encode()
    theirs = json.dumps({"payload": {"Records": [one]}}).encode()
    assert parse_failure(ours) == parse_failure(theirs)


def kept_event(s3, name, queue="whosthere-frames"):
    given = {"eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}", "body": f"{name}!"}
    letters(s3).put(dead_letter.EVENTS, name, "ClientError", given)


def test_events_come_back_into_their_queue_as_they_were(clients, sqs):
    s3, kinesis = clients
    for name in ("one", "two"):
        kept_event(s3, name)
    done = replay_failures(s3, kinesis, sqs, BUCKET)
    assert done.events == {"arn:aws:sqs:us-east-1:123456789012:whosthere-frames": 2}
    url = sqs.get_queue_url(QueueName="whosthere-frames")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in found} == {"one!", "two!"}
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_events_of_a_queue_that_is_gone_stay_and_hide_no_others(clients, sqs):
    s3, kinesis = clients
    kept_event(s3, "a", "whosthere-gone")
    kept_event(s3, "b")
    s3.put_object(Bucket=BUCKET, Key="failures/events/c.json", Body=b"[]")
    done = replay_failures(s3, kinesis, sqs, BUCKET)
    assert done.unreadable == ["failures/events/a.json", "failures/events/c.json"]
    assert list(done.events.values()) == [1]


class NamesSources:
    """A client of SQS that says where a dead letter comes from, as AWS does and moto does not."""

    def __init__(self, sqs):
        self.sqs = sqs

    def __getattr__(self, name):
        return getattr(self.sqs, name)

    def receive_message(self, MessageSystemAttributeNames, **given):
        found = self.sqs.receive_message(**given)
        for message in found.get("Messages", ()):
            name = message["Body"].removesuffix("!")
            if MessageSystemAttributeNames == ["DeadLetterQueueSourceArn"] and " " not in name:
                arn = f"arn:aws:sqs:us-east-1:123456789012:whosthere-{name}"
                message["Attributes"] = {"DeadLetterQueueSourceArn": arn}
        return found


@pytest.fixture
def dead_letters(sqs):
    """The dead-letter queue of two queues, with an event of each; its URL."""
    url = sqs.create_queue(QueueName="whosthere-dead-letters")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:whosthere-dead-letters"
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    for name in ("frames", "objects"):
        queue = sqs.create_queue(QueueName=f"whosthere-{name}")["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": redrive})
        sqs.send_message(QueueUrl=queue, MessageBody=f"{name}!")
        for _ in range(2):
            sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    return url


def waiting(sqs, queue):
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", ())
    return [message["Body"] for message in found]


def test_dead_letters_come_back_into_the_queues_that_they_came_from(sqs, dead_letters):
    done = resend_dead_letters(NamesSources(sqs), dead_letters)
    assert done.events == {
        f"arn:aws:sqs:us-east-1:123456789012:whosthere-{name}": 1 for name in ("frames", "objects")
    }
    assert (done.records, done.unreadable) == ({}, [])
    assert waiting(sqs, "whosthere-frames") == ["frames!"]
    assert waiting(sqs, "whosthere-objects") == ["objects!"]
    assert resend_dead_letters(NamesSources(sqs), dead_letters).events == {}


def test_a_dead_letter_of_a_queue_that_is_gone_stays_and_is_named(sqs, dead_letters):
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="whosthere-frames")["QueueUrl"])
    sqs.send_message(QueueUrl=dead_letters, MessageBody="put here by hand")
    done = resend_dead_letters(NamesSources(sqs), dead_letters)
    assert list(done.events.values()) == [1]
    assert len(done.unreadable) == 2
    counted = ["ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=counted)
    assert found["Attributes"] == {counted[0]: "2"}
