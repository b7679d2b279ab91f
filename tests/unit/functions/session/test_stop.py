"""Stopping and sweeping from outside an execution: fenced, idempotent, and told."""

import json
import logging
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.session.stop_harness import (
    NOW,
    ROLE,
    Rekognition,
    free,
    refusal,
    running,
    stop_context_of,
)
from whosthere import session_store as sessions
from whosthere.dynamodb import SCHEMA
from whosthere.errors import CameraBusyError, LockLostError
from whosthere.session import (
    deadline as deadlines,
)
from whosthere.session import (
    stop as stopping,
)
from whosthere.session import (
    sweep as sweeping,
)
from whosthere.session.close import Ending, ending_of
from whosthere.session.remove import drain, removed_cameras
from whosthere.session.stop import (
    stop_ended,
    stop_engine_of,
    stop_overdue,
)
from whosthere.session.sweep import sweep

STOP_SESSION_S = 360  # template.yaml, the function's timeout
ABORTED = Ending("aborted", "", "")


@pytest.fixture
def context(table, monkeypatch):
    at(monkeypatch, NOW + 1000)
    s3, sns, sqs = boto3.client("s3"), boto3.client("sns"), boto3.client("sqs")
    s3.create_bucket(Bucket="bucket")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes=raw)
    return stop_context_of(table, s3, sns, topic)


def with_rekognition(context, rekognition):
    return replace(context, engines=replace(context.engines, rekognition=rekognition))


def at(monkeypatch, now_ms):
    """The clock stands at that moment."""
    for module in (stopping, sweeping):
        monkeypatch.setattr(module, "now_ms", lambda: now_ms)


def subjects():
    return [message["subject"] for message in messages()]


def messages():
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName="inbox")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def swept(context, *cameras, engine="stream-processor"):
    return sweep(context, cameras or ["front-door"], engine=engine, role_name=ROLE)


def test_a_service_that_hangs_leaves_the_time_to_free_the_camera(table):
    """The report is made of the execution's history and two objects in S3: both may hang."""
    variables = {"STACK": "whosthere", "BUCKET": "b", "TOPIC_ARN": "t", "DEADLINES": "d"}
    made = stopping.stop_context(variables, table, logging.getLogger())
    clients = [made.rekognition, made.kinesisvideo, made.stepfunctions, made.schedules.scheduler]
    for client in [*clients, made.closing.s3, made.closing.sns]:
        config = client.meta.config
        hangs_s = config.connect_timeout + config.read_timeout
        assert 2 * config.retries["total_max_attempts"] * hangs_s < STOP_SESSION_S / 2


def test_a_schedule_is_two_minutes_after_the_deadline_and_goes_by_itself(context):
    session = replace(running(context), deadline_ms=NOW + 60_001, id="two")
    deadlines.create_deadline_schedule(
        context.schedules.scheduler, session, group="g", function_arn="f", role_arn="r"
    )
    deadlines.create_deadline_schedule(
        context.schedules.scheduler, session, group="g", function_arn="f", role_arn="r"
    )
    made = context.schedules.scheduler.made["two"]
    assert made["ScheduleExpression"] == "at(2027-01-15T08:03:01)"
    assert made["ActionAfterCompletion"] == "DELETE"
    assert json.loads(made["Target"]["Input"]) == {"overdue": "two"}


def test_what_an_aborted_execution_left_is_stopped_once_and_told_once(context):
    running(context)
    for _ in range(2):
        stop_ended(context, "one", ABORTED)
    assert not context.rekognition.running
    assert not context.schedules.scheduler.made
    assert free(context)
    assert subjects() == ["Problem at front-door"]


def test_a_call_that_lands_after_the_abort_is_found_at_the_second_look(context):
    running(context)
    context.rekognition.running.clear()
    late = replace(context, pause=lambda _s: context.rekognition.run("whosthere-front-door-one"))
    stop_ended(late, "one", ABORTED)
    assert not context.rekognition.running


def test_a_late_event_touches_only_its_own_session(context):
    running(context, engine="image-search")
    stop_ended(context, "one", ABORTED)
    running(context, "two", engine="image-search")
    stop_ended(context, "one", ABORTED)
    stop_overdue(context, "one")
    assert context.kinesisvideo.images["whosthere-front-door"]["Status"] == "ENABLED"
    assert not free(context)
    assert "arn:two" in context.stepfunctions.running


def test_what_cannot_be_stopped_is_told_and_stays_locked_until_it_can(context):
    running(context)
    context.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        stop_ended(context, "one", ABORTED)
    assert not free(context)
    assert subjects() == ["Problem at front-door"]
    context.rekognition.fail_with = None
    stop_ended(context, "one", ABORTED)
    assert free(context)
    assert subjects() == ["Stopped after all at front-door"]


def test_an_execution_that_never_opened_is_cancelled_and_told_once(context):
    for _ in range(2):
        assert stop_ended(context, "one", ABORTED, "front-door")["endedBy"] == "aborted"
    with pytest.raises(LockLostError):
        running(context)
    assert subjects() == ["No session at front-door"]


def test_no_answer_is_as_bad_as_a_refusal(context):
    running(context)
    running(context, "two", "back-door", engine="image-search")
    context.stepfunctions.running.clear()
    context.rekognition.fail_with = ReadTimeoutError(endpoint_url="https://rekognition")
    with pytest.raises(ReadTimeoutError):
        stop_ended(context, "one", ABORTED)
    assert not free(context)
    assert subjects() == ["Problem at front-door"]
    with pytest.raises(ReadTimeoutError):
        swept(context, "front-door", "back-door")
    assert free(context, "back-door")


def test_what_a_function_raised_before_it_opened_is_told_without_its_stack_trace(context):
    cause = json.dumps({"errorMessage": "no table", "stackTrace": ["File /var/task/x.py"]})
    stop_ended(context, "one", ending_of({"Error": "KeyError", "Cause": cause}), "front-door")
    (message,) = messages()
    assert message["message"].splitlines() == [
        "The session at front-door could not start. KeyError: no table",
        "To start another session: ./whosthere start front-door --minutes N",
    ]


def test_a_session_that_was_refused_is_told_once(context):
    busy = Ending("failed", "CameraBusyError", "front-door is held by session two")
    for _ in range(2):
        assert stop_ended(context, "one", busy, "front-door")["error"] == "CameraBusyError"
    assert subjects() == ["No session at front-door"]


def test_an_overdue_execution_is_aborted_too(context):
    running(context)
    assert stop_overdue(context, "one")["endedBy"] == "overdue"
    assert not context.stepfunctions.running
    assert not context.rekognition.running


def test_the_sweep_leaves_alone_what_should_run(context):
    running(context)
    running(context, "two", "back-door", engine="image-search")
    assert swept(context, "front-door", "back-door") == {"locks": 0, "processors": 0, "images": 0}
    assert context.rekognition.running
    assert not free(context)


@pytest.mark.parametrize("engine", ["stream-processor", "image-search"])
def test_the_sweep_ends_a_session_without_an_execution(context, engine):
    running(context, engine=engine)
    context.stepfunctions.running.clear()
    assert swept(context)["locks"] == 1
    assert not context.rekognition.running
    assert all(one["Status"] == "DISABLED" for one in context.kinesisvideo.images.values())
    assert free(context)
    assert subjects() == ["Problem at front-door"]


def test_the_sweep_ends_an_execution_that_outlived_its_deadline(context, monkeypatch):
    running(context)
    at(monkeypatch, NOW + 60_000 + 300_000)
    assert swept(context)["locks"] == 1
    assert not context.stepfunctions.running


def test_the_sweep_stops_what_an_ended_session_left_and_tells(context):
    running(context, engine="image-search")
    stop_ended(context, "one", ABORTED)
    subjects()
    context.kinesisvideo.on()
    assert swept(context) == {"locks": 0, "processors": 0, "images": 1}
    assert context.kinesisvideo.images["whosthere-front-door"]["Status"] == "DISABLED"
    assert free(context)
    assert subjects() == ["Stopped after all at front-door"]


@pytest.mark.parametrize("missing", ["message", "report"])
def test_the_sweep_makes_up_for_a_missing_message_or_report(context, monkeypatch, missing):
    running(context)
    lacking = replace(context.closing, sns=None) if missing == "message" else context.closing
    lacking = replace(lacking, s3=None) if missing == "report" else lacking
    with suppress(AttributeError):
        stop_ended(replace(context, closing=lacking), "one", ABORTED)
    assert free(context)
    assert len(subjects()) == (missing == "report")
    assert swept(context)["locks"] == 0  # what ended it may still be at work
    at(monkeypatch, NOW + 300_000)
    assert swept(context)["locks"] == 1
    assert len(subjects()) == (missing == "message")
    key = "sessions/one.json"
    body = context.closing.s3.get_object(Bucket="bucket", Key=key)["Body"].read()
    assert json.loads(body)["endedBy"] == "aborted"
    assert swept(context)["locks"] == 0


def test_the_sweep_leaves_alone_what_ended_long_ago(context, monkeypatch):
    """Its visits may be gone, and they are in the report that is there."""
    running(context)
    with pytest.raises(AttributeError):
        stop_ended(replace(context, closing=replace(context.closing, sns=None)), "one", ABORTED)
    at(monkeypatch, NOW + 2 * 86_400_000)
    assert swept(context)["locks"] == 0
    assert subjects() == []


def test_a_schedule_that_cannot_be_deleted_fails_nothing(context):
    running(context)
    refusing = SimpleNamespace(delete_schedule=lambda **_: refuse("AccessDeniedException"))
    schedules = replace(context.schedules, scheduler=refusing)
    assert stop_ended(replace(context, schedules=schedules), "one", ABORTED)["endedBy"] == "aborted"
    assert stop_overdue(context, "one")["endedBy"] == "aborted"  # when it fires after all
    assert subjects() == ["Problem at front-door"]


def refuse(code):
    raise refusal(code)


def test_the_sweep_touches_nothing_of_others(context):
    """Another stack whose name begins with ours, and images that somebody else asked for."""
    running(context, engine="image-search")
    stop_ended(context, "one", ABORTED)
    context.rekognition.run("whosthere-test-front-door-1", "test-front-door", "whosthere-test-P-1")
    context.rekognition.run("other-1")
    context.kinesisvideo.on(uri="s3://theirs/")
    assert swept(context) == {"locks": 0, "processors": 0, "images": 0}
    assert len(context.rekognition.running) == 2


def test_an_orphan_without_a_row_is_stopped(context):
    context.rekognition.run("whosthere-front-door-gone")
    assert swept(context)["processors"] == 1
    assert not context.rekognition.running


def test_one_camera_that_cannot_be_freed_does_not_keep_the_next_from_it(context):
    running(context)
    running(context, "two", "back-door", engine="image-search")
    context.stepfunctions.running.clear()
    context.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        swept(context, "front-door", "back-door")
    assert free(context, "back-door")


@pytest.mark.parametrize("error", [KeyError("RoleArn"), OverflowError(), ValueError("no camera")])
def test_whatever_keeps_one_camera_locked_the_owner_knows_and_the_next_is_freed(context, error):
    running(context)
    running(context, "two", "back-door", engine="image-search")
    context.stepfunctions.running.clear()
    context.rekognition.fail_with = error
    with pytest.raises(type(error)):
        swept(context, "front-door", "back-door")
    assert free(context, "back-door")
    assert subjects() == ["Problem at front-door", "Problem at back-door"]


class Closed(Rekognition):
    """Denies all that has to do with stream processors: with no word, where it is closed."""

    def __init__(self, message=""):
        super().__init__()
        self.message = message

    def _refuse(self, *_given, **_named):
        raise refusal("AccessDeniedException", self.message)

    describe_stream_processor = stop_stream_processor = delete_stream_processor = _refuse
    get_paginator = _refuse


def test_an_account_without_stream_processors_is_swept_too(context):
    for message in ("", "You are not authorized to perform this"):
        closed = with_rekognition(context, Closed(message))
        running(closed, message[:3] or "one", engine="image-search")
        closed.stepfunctions.running.clear()
        assert swept(closed, engine="image-search")["locks"] == 1
    with pytest.raises(ClientError, match="not authorized"):
        swept(closed)


def test_a_service_that_is_closed_has_nothing_to_stop(context):
    closed = with_rekognition(context, Closed())
    session = running(context)
    assert stop_engine_of(closed, session.id) is False
    denied = ending_of({"Error": "Rekognition.AccessDeniedException", "Cause": ""})
    assert stop_ended(closed, "one", denied)["endedBy"] == "denied"
    assert free(closed)
    assert subjects() == ["Problem at front-door"]
    assert swept(closed) == {"locks": 0, "processors": 0, "images": 0}


def test_one_refused_call_while_stopping_is_told_to_nobody_and_tried_again(context):
    running(context)
    context.rekognition.fail_with = "AccessDeniedException"
    ending = Ending("stop")
    with pytest.raises(ClientError):
        stop_ended(context, "one", ending, is_last_try=False)
    assert not free(context) and subjects() == []
    context.rekognition.fail_with = None
    assert stop_ended(context, "one", ending, is_last_try=False)["endedBy"] == "stop"
    assert free(context) and subjects() == []


def test_the_last_try_tells_that_the_engine_could_not_be_stopped(context):
    running(context)
    context.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        stop_ended(context, "one", Ending("stop"), is_last_try=True)
    assert not free(context)
    assert subjects() == ["Problem at front-door"]


def test_a_report_that_fails_once_is_written_at_the_next_try(context):
    running(context)
    s3 = context.closing.s3
    with pytest.raises(ClientError, match="NoSuchBucket"):
        stop_ended(without_bucket(context), "one", Ending("stop"), is_last_try=False)
    assert free(context) and subjects() == []
    stop_ended(context, "one", Ending("stop"), is_last_try=False)
    assert free(context)
    assert s3.get_object(Bucket="bucket", Key="sessions/one.json")


def test_without_a_report_the_last_try_frees_the_camera_and_logs_why(context, caplog):
    running(context)
    found = stop_ended(without_bucket(context), "one", Ending("problem", "E", "why"))
    assert found["reportFailed"] == "NoSuchBucket"
    assert free(context) and subjects() == ["Problem at front-door"]
    (logged,) = [one for one in caplog.records if one.msg == "report not written"]
    assert (logged.error, logged.code) == ("NoSuchBucket", "NoSuchBucket")


def without_bucket(context):
    names = replace(context.closing.names, bucket="gone")
    return replace(context, closing=replace(context.closing, names=names))


@pytest.mark.parametrize("engine", ["stream-processor", "image-search"])
def test_a_pause_stops_the_engine_and_leaves_the_session(context, engine):
    session = running(context, engine=engine)
    assert stop_engine_of(context, session.id) is True
    assert stop_engine_of(context, session.id) is False
    assert not context.rekognition.running
    assert all(one["Status"] == "DISABLED" for one in context.kinesisvideo.images.values())
    assert not free(context) and subjects() == []
    assert session.execution in context.stepfunctions.running


@pytest.mark.parametrize(("runs", "waits"), [(True, [2.0]), (False, [])])
def test_the_last_records_are_waited_for_only_when_something_ran(context, runs, waits):
    running(context)
    if not runs:
        context.rekognition.running.clear()
    waited = []
    stop_ended(replace(context, pause=waited.append), "one", Ending("stop"))
    assert waited == waits


def resource(kind, cameras, before=None, engine="e", engine_before="e"):
    found = {"RequestType": kind, "ResourceProperties": {"Cameras": cameras, "Engine": engine}}
    if before is not None:
        found["OldResourceProperties"] = {"Cameras": before, "Engine": engine_before}
    return found


@pytest.mark.parametrize(
    ("event", "cameras"),
    [
        (resource("Create", ["a"]), []),
        (resource("Update", ["a", "c"], ["a", "b"]), ["b"]),
        (resource("Update", ["a"], ["a", "b"], "x", "y"), ["a", "b"]),
        (resource("Delete", ["a", "b"]), ["a", "b"]),
    ],
)
def test_the_cameras_that_go_are_named(event, cameras):
    assert removed_cameras(event) == cameras


def test_running_sessions_of_leaving_cameras_end_and_others_go_on(context):
    running(context)
    running(context, "two", "back-door")
    assert drain(context, ["back-door", "never-used"]) == 1
    assert list(context.rekognition.running) == ["whosthere-front-door-one"]
    assert free(context, "back-door")
    assert "arn:one" in context.stepfunctions.running


def test_one_leaving_camera_that_cannot_be_stopped_does_not_keep_the_next_running(context):
    running(context)
    running(context, "two", "back-door", engine="image-search")
    context.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        drain(context, ["front-door", "back-door"])
    assert free(context, "back-door") and not free(context, "front-door")


def test_no_session_begins_at_the_cameras_of_a_stack_that_goes(context):
    running(context)
    assert drain(context, ["front-door", "never-used"], for_good=True) == 1
    for camera in ("front-door", "never-used"):
        with pytest.raises(CameraBusyError, match="its stack is being deleted"):
            running(context, "two", camera)
    assert not context.rekognition.running


class Answer:
    """As much of an HTTP answer as botocore looks at."""

    status_code = 200


def counting(context):
    """From now on the fake's Stop makes a call that is counted as a client's."""
    client, stop = boto3.client("rekognition"), context.rekognition.stop_stream_processor
    context.engines.calls.watch(client)
    client.meta.events.register("before-call", lambda **_: (Answer(), {}))

    def counted(Name):
        client.stop_stream_processor(Name=Name)
        stop(Name)

    context.rekognition.stop_stream_processor = counted


def test_what_stopping_called_is_in_the_report(context):
    running(context)
    counting(context)
    stop_ended(context, "one", Ending("stop"))
    body = context.closing.s3.get_object(Bucket="bucket", Key="sessions/one.json")["Body"]
    assert json.load(body)["calls"]["rekognition:StopStreamProcessor"] == 1


def test_a_count_that_cannot_be_kept_keeps_nothing_from_being_stopped(context):
    running(context)
    counting(context)
    context.table.update_item(
        Key=sessions.session_key("one"),
        UpdateExpression="SET counts = :text",
        ExpressionAttributeValues={":text": "no map"},
    )
    assert stop_ended(context, "one", Ending("stop"))["endedBy"] == "stop"
    assert free(context) and not context.rekognition.running


NEWER = {
    "lock": [sessions.lock_key("front-door")],
    "session": [sessions.session_key("one")],
    "both": [sessions.lock_key("front-door"), sessions.session_key("one")],
}


def written_by_a_newer_version(context, keys):
    for key in keys:
        row = context.table.get_item(Key=key)["Item"]
        # What may change from one version to the next is something else now.
        unknown = {"settings": "other", "counts": "other", "check": "other"}
        newer = {name: value for name, value in unknown.items() if name in row}
        context.table.put_item(Item=row | newer | {"schemaVersion": SCHEMA + 1})


@pytest.mark.parametrize("rows", NEWER)
@pytest.mark.parametrize("engine", ["stream-processor", "image-search"])
@pytest.mark.parametrize("way", ["event", "schedule", "sweep", "removal"])
def test_a_camera_whose_rows_a_newer_version_wrote_is_stopped_and_freed(context, way, engine, rows):
    running(context, engine=engine)
    written_by_a_newer_version(context, NEWER[rows])
    if way == "event":
        stop_ended(context, "one", ABORTED)
    elif way == "schedule":
        stop_overdue(context, "one")
    elif way == "sweep":
        context.stepfunctions.running.clear()
        assert swept(context, engine=engine)["locks"] == 1
    else:
        drain(context, ["front-door"])
    assert not context.rekognition.running
    on = context.kinesisvideo.images.values()
    assert all(images["Status"] == "DISABLED" for images in on)
    assert subjects() == ["Problem at front-door"]
    running(context, "two")
    assert not free(context)


def test_a_pause_stops_the_engine_of_a_newer_versions_session(context):
    running(context)
    written_by_a_newer_version(context, NEWER["both"])
    assert stop_engine_of(context, "one")
    assert not context.rekognition.running
