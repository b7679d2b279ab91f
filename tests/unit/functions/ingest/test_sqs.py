"""Events of a queue: tried again by age, sooner first, then kept whole; none hides another."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from whosthere.ingest.sqs import SqsSource, process_sqs_batch

BUCKET = "whosthere-messages"
SENT = 1_800_000_000_000
HOUR_MS = 3_600_000


class Logger:
    def __init__(self):
        self.said = []

    def warning(self, line, extra):
        self.said.append((line, extra))


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def queue(aws, s3):
    """A queue whose waits are noted; `at` says how old its messages are by now."""
    waits = []
    sqs = SimpleNamespace(
        change_message_visibility=lambda **given: waits.append(given["VisibilityTimeout"])
    )
    logger = Logger()

    def at(age_ms, s3=s3):
        return SqsSource(sqs, "url", s3, BUCKET, logger, lambda: SENT + age_ms)

    return SimpleNamespace(at=at, waits=waits, said=logger.said)


def message(name="one", times=1, body='{"detail": 1}'):
    return {
        "messageId": name,
        "receiptHandle": f"handle-{name}",
        "body": body,
        "attributes": {"SentTimestamp": str(SENT), "ApproximateReceiveCount": str(times)},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:whosthere-frames",
    }


def fails(_event):
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")


def failed(answer):
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def kept(s3):
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return {
        item["Key"]: json.loads(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
        for item in found
    }


def test_an_event_that_is_done_is_not_redelivered(queue):
    done = []
    assert failed(process_sqs_batch(queue.at(0), [message()], done.append)) == []
    assert done == [{"detail": 1}]
    assert queue.waits == []


def test_one_that_fails_hides_no_other(queue):
    done = []

    def work(event):
        if event == 2:
            fails(event)
        done.append(event)

    batch = [message(str(number), body=str(number)) for number in (1, 2, 3)]
    assert failed(process_sqs_batch(queue.at(0), batch, work)) == ["2"]
    assert done == [1, 3]


def test_a_failed_event_is_retried_with_a_growing_backoff(queue):
    for times in (1, 2, 3, 9, 5000):
        assert failed(process_sqs_batch(queue.at(0), [message(times=times)], fails)) == ["one"]
    assert queue.waits == [2, 4, 8, 60, 60]


def test_a_failed_event_is_retried_for_an_hour_whatever_the_number_of_tries(queue, s3):
    assert failed(process_sqs_batch(queue.at(HOUR_MS - 1), [message(times=400)], fails)) == ["one"]
    assert kept(s3) == {}


def test_after_an_hour_it_becomes_a_dead_letter_with_the_reason_and_a_log_line(queue, s3):
    given = message(times=70)
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1), [given], fails)) == []
    assert kept(s3) == {"failures/events/one.json": {"reason": "ClientError", "given": given}}
    assert queue.said[-1] == ("record set aside", {"record": "one"})


def test_an_event_whose_dead_letter_cannot_be_stored_is_retried(queue):
    refusing = SimpleNamespace(put_object=lambda **_: fails(None))
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1, refusing), [message()], fails)) == ["one"]


def test_an_event_that_succeeds_after_an_hour_is_done(queue, s3):
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1), [message()], lambda _event: None)) == []
    assert kept(s3) == {}


def test_an_event_that_no_worker_survived_becomes_a_dead_letter_untried(queue, s3):
    tried = []
    batch = [message("old", times=20), message("late", times=1)]
    assert failed(process_sqs_batch(queue.at(2 * HOUR_MS + 1), batch, tried.append)) == []
    assert len(tried) == 1  # the late one was never tried before
    assert list(kept(s3)) == ["failures/events/old.json"]


def test_a_message_that_is_no_json_is_a_failure_like_any(queue):
    assert failed(process_sqs_batch(queue.at(0), [message(body="{")], lambda _event: None)) == [
        "one"
    ]


def test_without_the_right_to_change_the_visibility_the_queues_timeout_holds(queue):
    at = queue.at(0)
    hindered = SqsSource(
        SimpleNamespace(change_message_visibility=lambda **_: fails(None)),
        at.url,
        at.s3,
        at.bucket,
        at.logger,
        at.clock,
    )
    assert failed(process_sqs_batch(hindered, [message()], fails)) == ["one"]
