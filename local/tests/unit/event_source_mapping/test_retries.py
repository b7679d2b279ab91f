"""What happens to a batch that fails: retries, splits, partial success, age, destinations."""

import json
import re
from dataclasses import replace

import pytest

from local.event_source_mapping.batches.events import to_event_record
from local.event_source_mapping.batches.retries import Batch
from local.event_source_mapping.mapping import parse_mapping
from local.event_source_mapping.model import Invocation, Record
from local.tests.support.laptop.event_source_mapping import (
    FUNCTION,
    ROLE,
    SHARD,
    STREAM,
    Function,
    MemoryBackend,
    failing,
)

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failures"
TOPIC = "arn:aws:sns:us-east-1:000000000000:failures"
BUCKET = "arn:aws:s3:::failures"
NOW = 1_700_000_000.25


class ThreadlessWorker:
    """A worker without a thread: pauses only move its clock."""

    def __init__(self, **settings):
        self.mapping = parse_mapping(
            {
                "UUID": "m1",
                "EventSourceArn": STREAM,
                "FunctionArn": FUNCTION,
                **settings,
            }
        )
        self.now = NOW
        self.pauses = []
        self.checkpoints = []
        self.stop_after = None

    def settings(self):
        stopped = self.stop_after is not None and len(self.pauses) >= self.stop_after
        return None if stopped else self.mapping

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def advance_checkpoint(self, sequence_number):
        self.checkpoints.append(sequence_number)


def deliver(run, texts, answer, *, denied=(), ages=None):
    backend = MemoryBackend()
    backend.denied = set(denied)
    function = backend.functions[FUNCTION] = Function(answer)
    ages = ages or [0.0] * len(texts)
    event_records = [
        to_event_record(
            Record(str(number), NOW - age, "k", text.encode()),
            shard_id=SHARD,
            stream_arn=STREAM,
            role_arn=ROLE,
        )
        for number, (text, age) in enumerate(zip(texts, ages, strict=True), 1)
    ]
    batch = Batch(run, backend, shard_id=SHARD, clock=lambda: run.now)
    finished = batch.deliver(event_records)
    return backend, function, finished


def poison(*bad):
    return lambda data: failing(data) if set(bad) & set(data) else None


def items(*numbers):
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}


def reported(*bad):
    """A function that reports the bad ones among what it got (a, b, c have the numbers 1, 2, 3)."""
    return lambda data: items(*(str("abcdefgh".index(x) + 1) for x in data if x in bad))


def messages(backend):
    return [json.loads(body) for _, _, body in backend.sent]


def test_a_success_moves_the_checkpoint_to_the_last_record():
    run = ThreadlessWorker()
    backend, function, finished = deliver(run, ["a", "b"], lambda data: "anything")
    assert finished
    assert function.batches == [["a", "b"]]
    assert run.checkpoints == ["2"]
    assert backend.reports["m1"] == ["OK"]


def test_a_failed_batch_is_retried_whole_and_then_given_up():
    run = ThreadlessWorker(MaximumRetryAttempts=2)
    backend, function, finished = deliver(run, ["a", "b"], failing)
    assert finished
    assert function.batches == [["a", "b"]] * 3
    assert run.checkpoints == ["2"]
    assert set(backend.reports["m1"]) == {"PROBLEM: Function call failed"}
    assert backend.sent == []


def test_no_retry_at_all_may_be_asked_for():
    _, function, _ = deliver(ThreadlessWorker(MaximumRetryAttempts=0), ["a"], failing)
    assert function.batches == [["a"]]


def test_pauses_between_retries_grow_up_to_a_limit():
    run = ThreadlessWorker(MaximumRetryAttempts=8)
    deliver(run, ["a"], failing)
    assert run.pauses[:3] == [0.2, 0.4, 0.8]
    assert run.pauses[-1] == 10.0
    assert len(run.pauses) == 8


def test_without_a_limit_retries_go_on_until_the_function_answers():
    run = ThreadlessWorker()
    answers = iter([failing([])] * 50)
    _, function, finished = deliver(run, ["a"], lambda data: next(answers, None))
    assert finished
    assert len(function.batches) == 51


def test_a_stopped_worker_leaves_the_rest_of_the_batch_at_its_checkpoint():
    run = ThreadlessWorker()
    run.stop_after = 2
    _, function, finished = deliver(run, ["a", "b"], failing)
    assert not finished
    assert len(function.batches) == 2
    assert run.checkpoints == []


def test_a_change_of_the_mapping_counts_for_the_batch_that_is_being_retried():
    run = ThreadlessWorker()
    calls = []

    def answer(data):
        calls.append(data)
        if len(calls) == 3:
            run.mapping = replace(run.mapping, retry_attempts=3)
        return failing(data)

    deliver(run, ["a"], answer)
    assert len(calls) == 4


def test_bisect_finds_the_poison_and_keeps_the_order():
    run = ThreadlessWorker(MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    run.mapping = replace(run.mapping, destination=QUEUE)
    backend, function, _ = deliver(run, list("abcdefgh"), poison("f"))
    fine = [batch for batch in function.batches if "f" not in batch]
    assert [item for batch in fine for item in batch] == list("abcdegh")
    assert run.checkpoints == ["4", "5", "6", "8"]
    [message] = messages(backend)
    assert message["KinesisBatchInfo"]["batchSize"] == 1
    assert message["KinesisBatchInfo"]["startSequenceNumber"] == "6"


def test_a_split_uses_up_no_retry():
    run = ThreadlessWorker(MaximumRetryAttempts=2, BisectBatchOnFunctionError=True)
    _, function, _ = deliver(run, list("abcdefgh"), poison("f"))
    assert function.batches.count(["f"]) == 3


def test_partial_success_checkpoints_before_the_lowest_failure_and_retries_from_it():
    run = ThreadlessWorker(
        MaximumRetryAttempts=3, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    answers = iter([items("4", "2"), None])
    _, function, _ = deliver(run, list("abcd"), lambda data: next(answers))
    assert function.batches == [list("abcd"), list("bcd")]
    assert run.checkpoints == ["1", "4"]


def test_after_progress_what_is_left_has_all_its_retries():
    run = ThreadlessWorker(
        MaximumRetryAttempts=3,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    backend, function, _ = deliver(run, list("abc"), reported("c"))
    assert function.batches == [list("abc"), *([["c"]] * 4)]
    [message] = messages(backend)
    assert message["requestContext"]["approximateInvokeCount"] == 4
    assert message["responseContext"]["functionError"] is None


def test_partial_success_with_bisect_gives_up_the_bad_records_only():
    run = ThreadlessWorker(
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    backend, function, _ = deliver(run, list("abcdef"), reported("b", "e"))
    assert function.batches[:2] == [list("abcdef"), list("bcdef")]
    given_up = [m["KinesisBatchInfo"]["startSequenceNumber"] for m in messages(backend)]
    assert given_up == ["2", "5"]
    assert run.checkpoints[-1] == "6"
    assert all("a" not in batch for batch in function.batches[1:])


def test_without_bisect_the_rest_of_the_batch_is_given_up_with_its_first_record():
    run = ThreadlessWorker(
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    backend, function, _ = deliver(run, list("abc"), reported("b"))
    assert function.batches == [list("abc"), list("bc"), list("bc")]
    [message] = messages(backend)
    info = message["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == ("2", "3")
    assert info["batchSize"] == 2


@pytest.mark.parametrize(
    "answer",
    [None, "", [], {}, {"batchItemFailures": []}, {"batchItemFailures": None}],
)
def test_an_empty_response_is_a_full_success(answer):
    run = ThreadlessWorker(FunctionResponseTypes=["ReportBatchItemFailures"])
    _, function, _ = deliver(run, ["a", "b"], lambda data: answer)
    assert function.batches == [["a", "b"]]


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"foo": "2"}]},
        {"batchItemFailures": [{}]},
        {"batchItemFailures": [{"itemIdentifier": "99"}]},
        {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "99"}]},
        {"batchItemFailures": [{"itemIdentifier": 2}]},
        {"batchItemFailures": ["2"]},
        {"batchItemFailures": "2"},
        {"batchItemFailures": {"itemIdentifier": "2"}},
        "2",
        ["2"],
        7,
        True,
    ],
)
def test_a_response_that_names_no_record_of_the_batch_fails_the_batch(answer):
    run = ThreadlessWorker(
        MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    _, function, _ = deliver(run, ["a", "b"], lambda data: answer)
    assert function.batches == [["a", "b"]] * 2
    assert run.checkpoints == ["2"]


def test_reported_failures_mean_nothing_unless_the_mapping_asks_for_them():
    run = ThreadlessWorker()
    _, function, _ = deliver(run, ["a", "b"], lambda data: items("1"))
    assert function.batches == [["a", "b"]]


@pytest.mark.parametrize("reason", ["throttled", "missing"])
def test_a_function_that_was_not_invoked_uses_up_no_retry(reason):
    run = ThreadlessWorker(MaximumRetryAttempts=0)
    answers = iter([Invocation(refused=reason)] * 5)
    backend, function, finished = deliver(run, ["a"], lambda data: next(answers, None))
    assert finished
    assert len(function.batches) == 6
    assert backend.reports["m1"][0].startswith("PROBLEM: Function")
    assert backend.reports["m1"][-1] == "OK"


def test_records_that_are_too_old_are_given_up_before_the_function_sees_them():
    run = ThreadlessWorker(
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    backend, function, _ = deliver(run, ["a", "b", "c"], lambda data: None, ages=[100, 61, 10])
    assert function.batches == [["c"]]
    assert run.checkpoints == ["2", "3"]
    [message] = messages(backend)
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["requestContext"]["approximateInvokeCount"] == 1
    assert "responseContext" not in message
    assert message["KinesisBatchInfo"]["batchSize"] == 2


def test_records_grow_too_old_while_they_are_retried():
    run = ThreadlessWorker(MaximumRecordAgeInSeconds=60, MaximumRetryAttempts=-1)
    backend, function, finished = deliver(run, ["a"], failing, ages=[30])
    assert finished
    assert 60 <= 30 + sum(run.pauses) <= 75
    assert function.batches


def test_throttling_ends_with_the_age_limit():
    run = ThreadlessWorker(MaximumRecordAgeInSeconds=60, MaximumRetryAttempts=0)
    _, _, finished = deliver(run, ["a"], lambda data: Invocation(refused="throttled"))
    assert finished
    assert run.checkpoints == ["1"]


def give_up(destination, **denied):
    run = ThreadlessWorker(
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": destination}},
    )
    backend, function, _ = deliver(run, ["a", "b"], failing, **denied)
    return backend, function, run


@pytest.mark.parametrize(
    ("destination", "action"),
    [(QUEUE, "sqs:SendMessage"), (TOPIC, "sns:Publish")],
)
def test_a_queue_or_topic_gets_the_invocation_record_without_the_records(destination, action):
    backend, _, _ = give_up(destination)
    [(sent_by, target, body)] = backend.sent
    assert (sent_by, target) == (action, destination)
    message = json.loads(body)
    request_id = message["requestContext"].pop("requestId")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
    assert message == {
        "requestContext": {
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.450Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.250Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.250Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_a_bucket_gets_the_records_too_under_awss_key():
    backend, function, _ = give_up(BUCKET)
    [(_, key, body)] = backend.sent
    assert re.fullmatch(
        rf"failures/aws/lambda/m1/{SHARD}/2023/11/14/"
        r"2023-11-14T22\.13\.20-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        key,
    )
    assert json.loads(body)["payload"] == function.events[-1]
    assert json.loads(body)["KinesisBatchInfo"]["batchSize"] == 2


def test_a_destination_that_refuses_does_not_hold_up_the_shard():
    backend, _, run = give_up(BUCKET, denied={"s3:PutObject"})
    assert run.checkpoints == ["2"]
    assert "s3:PutObject is denied" in backend.reports["m1"][-1]
    assert backend.reports["m1"][-1].startswith("PROBLEM: ")
