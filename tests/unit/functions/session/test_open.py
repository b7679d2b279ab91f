"""From the input of a session to what the state machine keeps of it."""

import importlib
import io
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from whosthere import settings
from whosthere.errors import SessionInputError, TryAgainError
from whosthere.session.open import (
    SHORT_TIMEOUTS,
    Deployment,
    OpenContext,
    after_failed_check,
    health_check_s,
    open_requested_session,
    opened,
    plan,
)
from whosthere.session_store import latest_session

NOW = 1_800_000_000_000
HANDLERS_VARIABLES = (
    *("STACK", "ENGINE", "BUCKET", "TABLE", "PERSON_SALT", "OBJECTS_QUEUE", "DEADLINES"),
    *("STOP_SESSION_ARN", "DEADLINE_ROLE_ARN", "DATA_STREAM_ARN_PREFIX", "AWS_REGION"),
)
FUNCTIONS_TIMEOUT_S = 60  # template.yaml, Globals


def a_plan(request=None, session_id="one", **changes):
    values = settings.defaults() | changes
    return plan(
        request or {"camera": "front-door", "minutes": 10},
        values,
        stack="whosthere",
        engine="stream-processor",
        session_id=session_id,
        execution="arn:one",
        started_ms=NOW,
    )


def test_a_plan_has_its_deadline():
    assert a_plan().deadline_ms == NOW + 600_000


def test_a_name_that_cannot_name_a_processor_is_refused():
    with pytest.raises(SessionInputError):
        a_plan(session_id="not a name")


def test_the_state_machine_gets_names_arns_and_numbers():
    kept = opened(
        a_plan(timeZone="Europe/Berlin", samplingSeconds=0.5),
        requests=7,
        stack="whosthere",
        video_arn="V",
        data_arn="D",
        bucket="B",
        region="us-east-1",
    )
    assert kept["processor"] == "whosthere-front-door-one"
    assert kept["stream"] == "whosthere-front-door"
    images = kept["imageGeneration"]
    assert images["DestinationConfig"] == {
        "Uri": "s3://B/frames/whosthere-front-door",
        "DestinationRegion": "us-east-1",
    }
    assert kept["lockKey"] == {"pk": {"S": "camera#front-door"}, "sk": {"S": "lock"}}
    assert (kept["videoArn"], kept["dataArn"]) == ("V", "D")
    assert images["SamplingInterval"] == 500
    assert (kept["requests"], kept["deadline"]) == ("7", NOW / 1000 + 600)


def test_sampling_is_never_below_what_the_service_takes():
    kept = opened(
        a_plan(samplingSeconds=0.2),
        requests=0,
        stack="s",
        video_arn="",
        data_arn="",
        bucket="",
        region="",
    )
    assert kept["imageGeneration"]["SamplingInterval"] == 200


@pytest.mark.parametrize(("minutes", "asked", "given"), [(1440, 1, 60), (1440, 90, 90), (60, 1, 3)])
def test_a_long_session_is_checked_as_often_as_its_executions_history_allows(minutes, asked, given):
    plan = replace(a_plan(healthCheckSeconds=asked), deadline_ms=NOW + 60_000 * minutes)
    assert health_check_s(plan) == given
    # A check and its sleep: tests/statemachine/test_session.py counts their events.
    assert 60 * minutes / given * 13 < 25_000 * 0.8


@pytest.mark.parametrize("every", [1, 60, 900])
def test_failed_checks_are_slept_over_ever_longer_and_ten_in_a_row_end_the_session(every):
    *sleeps, end = after_failed_check(every)
    assert [one["next"] for one in sleeps] == ["sleep"] * 9
    assert end["next"] == "end"
    seconds = [every] + [one["sleepSeconds"] for one in sleeps]
    for before, after in itertools.pairwise(seconds):
        assert after == max(every, min(600, 2 * before))


class Answering:
    """A service that answers a call with that status and code, as often as it is asked."""

    def __init__(self, client, status, code):
        self.asked, self._status, self._code = 0, status, code
        client.meta.events.register_first("before-send", self._answer)

    def _answer(self, request, **_):
        self.asked += 1
        body = json.dumps({"__type": self._code, "message": "too much"}).encode()
        raw = SimpleNamespace(stream=lambda: iter([body]))
        return AWSResponse(request.url, self._status, {"x-amzn-errortype": self._code}, raw)


def a_context(table, **changes):
    s3 = SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(b"{}")})
    streams = {"StreamInfo": {"StreamARN": "V"}}
    kinesisvideo = SimpleNamespace(describe_stream=lambda **_: streams)
    deployment = Deployment("whosthere", "stream-processor", "B", "us-east-1", "arn:data/")
    return replace(
        OpenContext(table, s3, kinesisvideo, lambda _session: None, deployment), **changes
    )


def open_front_door(context):
    request = {"camera": "front-door", "minutes": 10}
    return open_requested_session(
        context, request, session_id="one", execution="arn:one", started_ms=NOW
    )


def test_a_session_is_opened_as_requested(table):
    scheduled = []
    kept = open_front_door(a_context(table, create_schedule=scheduled.append))
    assert (kept["id"], kept["videoArn"], kept["dataArn"]) == ("one", "V", "arn:data/front-door")
    assert scheduled == [latest_session(table, "front-door")]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "ThrottlingException", TryAgainError),
        (500, "InternalServerError", TryAgainError),
        (400, "AccessDeniedException", ClientError),
    ],
)
def test_what_is_busy_beyond_the_sdks_retries_is_tried_again(table, status, code, error):
    few = Config(retries={"total_max_attempts": 2})
    busy = boto3.resource("dynamodb", config=few).Table("whosthere")
    asked = Answering(busy.meta.client, status, code)
    with pytest.raises(error, match=code):
        open_front_door(a_context(busy))
    assert asked.asked == (2 if error is TryAgainError else 1)


@pytest.mark.parametrize(
    "error", [ConnectTimeoutError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError]
)
def test_a_service_without_an_answer_is_tried_again(table, error):
    def hangs(**_):
        raise error(endpoint_url="https://kinesisvideo", error="")

    with pytest.raises(TryAgainError):
        open_front_door(a_context(table, kinesisvideo=SimpleNamespace(describe_stream=hangs)))


def test_an_endpoint_that_hangs_holds_no_opening_until_the_function_is_killed(aws, monkeypatch):
    for name in HANDLERS_VARIABLES:
        monkeypatch.setenv(name, "any")
    opens = importlib.import_module("open_session")
    context, (people, queue, *_) = opens.context, opens.compare_objects.args
    schedules = context.create_schedule.args[0]
    for client in [context.s3, context.kinesisvideo, schedules, people.s3, queue]:
        assert client.meta.config.read_timeout == 8
    for table in [context.table, people.table]:
        assert table.meta.client.meta.config.read_timeout == 8
    timeouts = SHORT_TIMEOUTS.connect_timeout + SHORT_TIMEOUTS.read_timeout
    # One call that hangs in the opening, and one in the comparison of photos after it.
    assert 2 * SHORT_TIMEOUTS.retries["total_max_attempts"] * timeouts < FUNCTIONS_TIMEOUT_S


def test_a_camera_that_the_stack_does_not_have_is_refused(table):
    def unknown(**_):
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "any")

    with pytest.raises(SessionInputError, match="no camera of stack whosthere"):
        open_front_door(a_context(table, kinesisvideo=SimpleNamespace(describe_stream=unknown)))


@pytest.mark.parametrize("hours", [0, 1])
def test_a_camera_whose_stream_keeps_no_video_is_refused(table, hours):
    found = {"StreamInfo": {"StreamARN": "V", "DataRetentionInHours": hours}}
    context = a_context(table, kinesisvideo=SimpleNamespace(describe_stream=lambda **_: found))
    if hours:
        assert open_front_door(context)["id"] == "one"
        return
    with pytest.raises(SessionInputError, match="VideoRetentionHours of at least 1"):
        open_front_door(context)
    assert table.scan()["Items"] == []
