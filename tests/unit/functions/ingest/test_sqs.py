"""Events of a queue: tried again by age, or kept whole with the reason; none hides another."""

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError

from whosthere.errors import DueLaterError, RecordError
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.sqs import ObjectEvent, SqsSource, process_sqs_batch

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
    logger, measured = Logger(), []
    metrics = SimpleNamespace(add_metric=lambda *metric: measured.append(metric))

    def at(age_ms, s3=s3):
        letters = DeadLetters(s3, BUCKET, logger, metrics)
        return SqsSource(sqs, "url", letters, lambda: SENT + age_ms)

    return SimpleNamespace(at=at, waits=waits, said=logger.said, measured=measured)


def s3_event(key):
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"account": "123456789012", "region": "us-east-1", "detail": detail}


def message(name="one", times=1, body=None):
    return {
        "messageId": name,
        "receiptHandle": f"handle-{name}",
        "body": json.dumps(s3_event("a key")) if body is None else body,
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
    assert done == [ObjectEvent("a key", "us-east-1", "123456789012")]
    assert queue.waits == []


def test_one_that_fails_hides_no_other(queue):
    done = []

    def work(event):
        if event.key == "2":
            fails(event)
        done.append(event.key)

    batch = [message(key, body=json.dumps(s3_event(key))) for key in "123"]
    assert failed(process_sqs_batch(queue.at(0), batch, work)) == ["2"]
    assert done == ["1", "3"]


def test_all_events_may_fail_and_the_function_does_not(queue):
    batch = [message(name) for name in ("one", "two")]
    assert failed(process_sqs_batch(queue.at(0), batch, fails)) == ["one", "two"]


def test_a_failed_event_is_retried_with_a_growing_backoff(queue):
    for times in (1, 2, 3, 9, 5000):
        assert failed(process_sqs_batch(queue.at(0), [message(times=times)], fails)) == ["one"]
    assert queue.waits == [2, 4, 8, 60, 60]


def test_a_failed_event_is_retried_for_an_hour_whatever_the_number_of_tries(queue, s3):
    assert failed(process_sqs_batch(queue.at(HOUR_MS - 1), [message(times=400)], fails)) == ["one"]
    assert kept(s3) == {}


def test_the_age_of_a_failed_event_is_measured_and_of_none_that_is_done(queue):
    process_sqs_batch(queue.at(301_000), [message()], fails)
    process_sqs_batch(queue.at(301_000), [message()], lambda _event: None)
    assert queue.measured == [("FailedEventAge", "Seconds", 301)]


def test_after_an_hour_it_becomes_a_dead_letter_with_the_reason_and_a_log_line(queue, s3):
    given = message(times=70)
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1), [given], fails)) == []
    assert kept(s3) == {"failures/events/one.json": {"reason": "AccessDenied", "given": given}}
    assert queue.said[-1] == ("record set aside", {"record": "one"})
    assert queue.measured[-1] == ("RecordsSetAside", "Count", 1)


@pytest.mark.parametrize("age_ms", [0, HOUR_MS + 1])
def test_what_is_due_later_comes_again_then_and_is_no_failure(queue, s3, age_ms):
    def waits(_event):
        raise DueLaterError(59_001)

    assert failed(process_sqs_batch(queue.at(age_ms), [message(times=3)], waits)) == ["one"]
    assert (queue.waits, queue.measured, queue.said, kept(s3)) == ([60], [], [], {})


def test_an_event_whose_dead_letter_cannot_be_stored_is_retried(queue):
    refusing = SimpleNamespace(put_object=lambda **_: fails(None))
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1, refusing), [message()], fails)) == ["one"]


def test_an_event_that_succeeds_after_an_hour_is_done(queue, s3):
    assert failed(process_sqs_batch(queue.at(HOUR_MS + 1), [message()], lambda _event: None)) == []
    assert kept(s3) == {}


def test_an_event_that_no_worker_survived_is_left_untried_to_the_dead_letter_queue(queue, s3):
    tried = []
    batch = [message("old", times=20), message("late", times=1)]
    assert failed(process_sqs_batch(queue.at(2 * HOUR_MS + 1), batch, tried.append)) == ["old"]
    assert len(tried) == 1  # the late one was never tried before
    assert queue.waits == [0]  # until it was received often enough
    assert kept(s3) == {}


NO_EVENTS = ["{", "[]", "null", '{"detail": {"object": {}}}', json.dumps(s3_event(7)), "[" * 9999]


@pytest.mark.parametrize("body", NO_EVENTS)
def test_what_is_no_event_of_s3_is_kept_at_once_with_the_reason(queue, s3, body):
    given = message(body=body)
    assert failed(process_sqs_batch(queue.at(0), [given], fails)) == []
    ((key, found),) = kept(s3).items()
    assert key == "failures/events/one.json"
    assert (found["given"], "event" in found["reason"]) == (given, True)
    assert queue.said == [("record set aside", {"record": "one"})]
    assert queue.measured == [("RecordsSetAside", "Count", 1)]


def test_an_event_that_no_retry_can_mend_is_kept_at_once_with_the_reason(queue, s3):
    def refuses(_event):
        raise RecordError("Similarity is missing")

    assert failed(process_sqs_batch(queue.at(0), [message()], refuses)) == []
    (found,) = kept(s3).values()
    assert found["reason"] == "Similarity is missing"


def test_what_cannot_be_kept_at_once_is_retried(queue):
    refusing = queue.at(0, SimpleNamespace(put_object=lambda **_: fails(None)))
    assert failed(process_sqs_batch(refusing, [message(body="{")], fails)) == ["one"]
    assert queue.waits == [2]


def test_no_log_and_no_metric_says_more_of_an_event_than_its_id(queue):
    def fails_by_name(event):
        raise ValueError(event.key)

    body = json.dumps(s3_event("people/Alice/1.jpg"))
    for age_ms in (0, HOUR_MS + 1, 2 * HOUR_MS + 1):
        process_sqs_batch(queue.at(age_ms), [message(times=2, body=body)], fails_by_name)
    assert len(queue.said) == 3
    assert "Alice" not in json.dumps([queue.said, queue.measured])


def test_without_the_right_to_change_the_visibility_the_queues_timeout_holds(queue):
    at = queue.at(0)
    refusing = SimpleNamespace(change_message_visibility=lambda **_: fails(None))
    hindered = SqsSource(refusing, at.url, at.dead_letters, at.clock)
    assert failed(process_sqs_batch(hindered, [message()], fails)) == ["one"]
