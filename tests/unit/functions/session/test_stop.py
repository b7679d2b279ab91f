"""Stopping and sweeping from outside an execution: fenced, idempotent, and told."""

import json
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from whosthere import session_store as sessions
from whosthere import settings
from whosthere.errors import CameraBusyError, LockLostError
from whosthere.session import deadline as deadlines
from whosthere.session import lock as locks
from whosthere.session.close import Ending
from whosthere.session.remove import leaving, retire
from whosthere.session.stop import Tools, stop_ended, stop_overdue
from whosthere.session.sweep import sweep
from whosthere.session_store import Session

NOW = 1_800_000_000_000
ROLE = "whosthere-ProcessorRole-1"
ABORTED = Ending("aborted", "", "")


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "any")


class Rekognition:
    """Running processors by name, each with the camera it watches and its role."""

    def __init__(self):
        self.running, self.fail_with = {}, None

    def run(self, name, camera="front-door", role=ROLE):
        arn = f"arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-{camera}/1"
        self.running[name] = {
            "Status": "RUNNING",
            "RoleArn": f"arn:aws:iam::111122223333:role/{role}",
            "Input": {"KinesisVideoStream": {"Arn": arn}},
        }

    def describe_stream_processor(self, Name):
        if Name not in self.running:
            raise refusal("ResourceNotFoundException")
        return self.running[Name]

    def stop_stream_processor(self, Name):
        if isinstance(self.fail_with, Exception):
            raise self.fail_with
        if self.fail_with:
            raise refusal(self.fail_with)

    def delete_stream_processor(self, Name):
        del self.running[Name]

    def get_paginator(self, _operation):
        names = [{"Name": name} for name in self.running]
        return SimpleNamespace(paginate=lambda: [{"StreamProcessors": names}])


class KinesisVideo:
    """Image generation of streams, by stream."""

    def __init__(self):
        self.images = {}

    def on(self, camera="front-door", uri="s3://bucket/frames/front-door/"):
        self.images[f"whosthere-{camera}"] = {
            "Status": "ENABLED",
            "DestinationConfig": {"Uri": uri},
        }

    def describe_image_generation_configuration(self, StreamName):
        if StreamName not in self.images:
            raise refusal("ResourceNotFoundException")
        return {"ImageGenerationConfiguration": self.images[StreamName]}

    def update_image_generation_configuration(self, StreamName, ImageGenerationConfiguration):
        self.images[StreamName] = ImageGenerationConfiguration


class StepFunctions:
    """Executions that run, by ARN."""

    def __init__(self):
        self.running = set()

    def describe_execution(self, executionArn):
        return {"status": "RUNNING" if executionArn in self.running else "ABORTED"}

    def stop_execution(self, executionArn):
        self.running.discard(executionArn)

    def get_paginator(self, _operation):
        raise refusal("AccessDeniedException")  # its history only adds to a report


class Scheduler:
    """Schedules by name."""

    def __init__(self):
        self.made = {}

    def create_schedule(self, Name, **given):
        if Name in self.made:
            raise refusal("ConflictException")
        self.made[Name] = given

    def delete_schedule(self, Name, GroupName):
        if Name not in self.made:
            raise refusal("ResourceNotFoundException")
        del self.made[Name]


@pytest.fixture
def tools(table):
    s3, sns, sqs = boto3.client("s3"), boto3.client("sns"), boto3.client("sqs")
    s3.create_bucket(Bucket="bucket")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes=raw)
    return Tools(
        table=table,
        rekognition=Rekognition(),
        kinesisvideo=KinesisVideo(),
        stepfunctions=StepFunctions(),
        scheduler=Scheduler(),
        s3=s3,
        sns=sns,
        stack="whosthere",
        bucket="bucket",
        topic_arn=topic,
        deadlines="whosthere-deadlines",
        now_ms=lambda: NOW + 1000,
        pause=lambda _seconds: None,
    )


def subjects():
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName="inbox")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"])["subject"] for message in found]


def running(tools, session_id="one", camera="front-door", engine="stream-processor"):
    """A session under way, with all that it has made."""
    values = settings.defaults()
    session = Session(
        id=session_id,
        camera=camera,
        engine=engine,
        execution=f"arn:{session_id}",
        started_ms=NOW,
        deadline_ms=NOW + 60_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(tools.table, session, values)
    deadlines.arm(tools.scheduler, session, group="g", function_arn="f", role_arn="r")
    tools.stepfunctions.running.add(session.execution)
    if engine == "stream-processor":
        tools.rekognition.run(f"whosthere-{camera}-{session_id}", camera)
    else:
        tools.kinesisvideo.on(camera, f"s3://bucket/frames/{camera}/")
    return session


def free(tools, camera="front-door"):
    return not sessions.latest_session(tools.table, camera).held


def swept(tools, *cameras, engine="stream-processor"):
    return sweep(tools, cameras or ["front-door"], engine=engine, role_name=ROLE)


def test_a_schedule_is_two_minutes_after_the_deadline_and_goes_by_itself(tools):
    session = replace(running(tools), deadline_ms=NOW + 60_001, id="two")
    deadlines.arm(tools.scheduler, session, group="g", function_arn="f", role_arn="r")
    deadlines.arm(tools.scheduler, session, group="g", function_arn="f", role_arn="r")
    made = tools.scheduler.made["two"]
    assert made["ScheduleExpression"] == "at(2027-01-15T08:03:01)"
    assert made["ActionAfterCompletion"] == "DELETE"
    assert json.loads(made["Target"]["Input"]) == {"overdue": "two"}


def test_what_an_aborted_execution_left_is_stopped_once_and_told_once(tools):
    running(tools)
    for _ in range(2):
        stop_ended(tools, "one", ABORTED)
    assert not tools.rekognition.running
    assert not tools.scheduler.made
    assert free(tools)
    assert subjects() == ["Problem at front-door"]


def test_a_call_that_lands_after_the_abort_is_found_at_the_second_look(tools):
    running(tools)
    tools.rekognition.running.clear()
    late = replace(tools, pause=lambda _s: tools.rekognition.run("whosthere-front-door-one"))
    stop_ended(late, "one", ABORTED)
    assert not tools.rekognition.running


def test_a_late_event_touches_only_its_own_session(tools):
    running(tools, engine="image-search")
    stop_ended(tools, "one", ABORTED)
    running(tools, "two", engine="image-search")
    stop_ended(tools, "one", ABORTED)
    stop_overdue(tools, "one")
    assert tools.kinesisvideo.images["whosthere-front-door"]["Status"] == "ENABLED"
    assert not free(tools)
    assert "arn:two" in tools.stepfunctions.running


def test_what_cannot_be_stopped_is_told_and_stays_locked_until_it_can(tools):
    running(tools)
    tools.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        stop_ended(tools, "one", ABORTED)
    assert not free(tools)
    assert subjects() == ["Problem at front-door"]
    tools.rekognition.fail_with = None
    stop_ended(tools, "one", ABORTED)
    assert free(tools)
    assert subjects() == ["Stopped after all at front-door"]


def test_an_execution_that_never_opened_is_given_up_and_told_once(tools):
    for _ in range(2):
        assert stop_ended(tools, "one", ABORTED, "front-door") == {}
    with pytest.raises(LockLostError):
        running(tools)
    assert subjects() == ["No session at front-door"]


def test_no_answer_is_as_bad_as_a_refusal(tools):
    running(tools)
    running(tools, "two", "back-door", engine="image-search")
    tools.stepfunctions.running.clear()
    tools.rekognition.fail_with = ReadTimeoutError(endpoint_url="https://rekognition")
    with pytest.raises(ReadTimeoutError):
        stop_ended(tools, "one", ABORTED)
    assert not free(tools)
    assert subjects() == ["Problem at front-door"]
    with pytest.raises(ReadTimeoutError):
        swept(tools, "front-door", "back-door")
    assert free(tools, "back-door")


def test_a_session_that_was_refused_is_told_once(tools):
    busy = Ending("failed", "CameraBusyError", "front-door is held by session two")
    for _ in range(2):
        assert stop_ended(tools, "one", busy, "front-door") == {}
    assert subjects() == ["No session at front-door"]


def test_an_overdue_execution_is_aborted_too(tools):
    running(tools)
    assert stop_overdue(tools, "one")["endedBy"] == "overdue"
    assert not tools.stepfunctions.running
    assert not tools.rekognition.running


def test_the_sweep_leaves_alone_what_should_run(tools):
    running(tools)
    running(tools, "two", "back-door", engine="image-search")
    assert swept(tools, "front-door", "back-door") == {"locks": 0, "processors": 0, "images": 0}
    assert tools.rekognition.running
    assert not free(tools)


@pytest.mark.parametrize("engine", ["stream-processor", "image-search"])
def test_the_sweep_ends_a_session_without_an_execution(tools, engine):
    running(tools, engine=engine)
    tools.stepfunctions.running.clear()
    assert swept(tools)["locks"] == 1
    assert not tools.rekognition.running
    assert all(one["Status"] == "DISABLED" for one in tools.kinesisvideo.images.values())
    assert free(tools)
    assert subjects() == ["Problem at front-door"]


def test_the_sweep_ends_an_execution_that_outlived_its_deadline(tools):
    running(tools)
    late = replace(tools, now_ms=lambda: NOW + 60_000 + 300_000)
    assert swept(late)["locks"] == 1
    assert not tools.stepfunctions.running


def test_the_sweep_stops_what_an_ended_session_left_and_tells(tools):
    running(tools, engine="image-search")
    stop_ended(tools, "one", ABORTED)
    subjects()
    tools.kinesisvideo.on()
    assert swept(tools) == {"locks": 0, "processors": 0, "images": 1}
    assert tools.kinesisvideo.images["whosthere-front-door"]["Status"] == "DISABLED"
    assert free(tools)
    assert subjects() == ["Stopped after all at front-door"]


def test_the_sweep_touches_nothing_of_others(tools):
    """Another stack whose name begins with ours, and images that somebody else asked for."""
    running(tools, engine="image-search")
    stop_ended(tools, "one", ABORTED)
    tools.rekognition.run("whosthere-test-front-door-1", "test-front-door", "whosthere-test-P-1")
    tools.rekognition.run("other-1")
    tools.kinesisvideo.on(uri="s3://theirs/")
    assert swept(tools) == {"locks": 0, "processors": 0, "images": 0}
    assert len(tools.rekognition.running) == 2


def test_an_orphan_without_a_row_is_stopped(tools):
    tools.rekognition.run("whosthere-front-door-gone")
    assert swept(tools)["processors"] == 1
    assert not tools.rekognition.running


def test_one_camera_that_cannot_be_freed_does_not_keep_the_next_from_it(tools):
    running(tools)
    running(tools, "two", "back-door", engine="image-search")
    tools.stepfunctions.running.clear()
    tools.rekognition.fail_with = "AccessDeniedException"
    with pytest.raises(ClientError):
        swept(tools, "front-door", "back-door")
    assert free(tools, "back-door")


def test_an_account_without_stream_processors_is_swept_too(tools):
    class Closed(Rekognition):
        def get_paginator(self, _operation):
            raise refusal("AccessDeniedException")

    closed = replace(tools, rekognition=Closed())
    running(closed, engine="image-search")
    closed.stepfunctions.running.clear()
    assert swept(closed, engine="image-search")["locks"] == 1
    with pytest.raises(ClientError):
        swept(closed)


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
    assert leaving(event) == cameras


def test_running_sessions_of_leaving_cameras_end_and_others_go_on(tools):
    running(tools)
    running(tools, "two", "back-door")
    assert retire(tools, ["back-door", "never-used"]) == 1
    assert list(tools.rekognition.running) == ["whosthere-front-door-one"]
    assert free(tools, "back-door")
    assert "arn:one" in tools.stepfunctions.running


def test_no_session_begins_at_the_cameras_of_a_stack_that_goes(tools):
    running(tools)
    assert retire(tools, ["front-door", "never-used"], for_good=True) == 1
    for camera in ("front-door", "never-used"):
        with pytest.raises(CameraBusyError, match="its stack is being deleted"):
            running(tools, "two", camera)
    assert not tools.rekognition.running
