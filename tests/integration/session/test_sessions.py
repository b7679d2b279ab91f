"""Real sessions on the laptop AWS: however one ends, what it started is stopped."""

import json
import time

import pytest

from tests.support.camera import streaming
from whosthere.session.requests import request_pause


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera")):
        yield


@pytest.fixture
def watching(door, camera, wait_until):
    """A session that searches; stopped afterwards, whatever the test did."""
    execution = door.start()
    wait_until(lambda: door.is_watching(execution), 40)
    yield execution
    door.stop()
    door.ended(execution)
    wait_until(door.nothing_is_left, 30)


def test_a_bad_input_fails_at_once_and_names_each_field(door):
    execution = door.execute({"camera": "Front Door", "minutes": -1})
    found = door.ended(execution)
    assert (found["status"], found["error"]) == ("FAILED", "SessionInputError")
    assert "camera" in found["cause"]
    assert "minutes" in found["cause"]
    assert door.nothing_is_left()


def test_an_unknown_camera_is_named(door):
    found = door.ended(door.execute({"camera": "back-door", "minutes": 1}))
    assert found["error"] == "SessionInputError"
    assert "'back-door' is no camera of stack whosthere" in found["cause"]


def test_a_session_runs_until_it_is_asked_to_stop(door, watching, wait_until):
    assert len(door.processors()) == 1
    asked = time.monotonic()
    assert door.stop()
    wait_until(lambda: not door.processors(), 5)
    assert time.monotonic() - asked < 5
    found = door.ended(watching)
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"])["endedBy"] == "stop"
    assert door.nothing_is_left()
    assert door.report(watching)["endedBy"] == "stop"
    texts = [message["message"] for message in door.messages() if message["kind"] == "session"]
    assert sum("Faces are searched at front-door until" in text for text in texts) == 1
    assert sum("ended because it was asked to stop" in text for text in texts) == 1


def test_a_paused_session_runs_nothing_and_goes_on_afterwards(door, watching, wait_until):
    now = round(time.time() * 1000)
    sfn = door.client("stepfunctions")
    assert request_pause(door.table, sfn, "front-door", now + 3_600_000)
    wait_until(lambda: not door.processors(), 10)
    assert not door.is_free()
    assert door.state(watching)["status"] == "RUNNING"
    # A moment that has passed ends the pause, as the pause's own end does.
    assert request_pause(door.table, sfn, "front-door", round(time.time() * 1000))
    wait_until(door.processors, 40)
    assert door.state(watching)["status"] == "RUNNING"


def test_a_second_session_on_the_camera_is_told_which_one_runs(door, watching):
    found = door.ended(door.start())
    assert found["error"] == "CameraBusyError"
    assert watching.rpartition(":")[2] in found["cause"]
    assert len(door.processors()) == 1
    assert not door.is_free()


def test_a_session_ends_at_its_deadline_and_takes_few_transitions(door, camera, say):
    execution = door.start(minutes=0.3)
    found = door.ended(execution)
    assert json.loads(found["output"])["endedBy"] == "deadline"
    assert door.nothing_is_left()
    entered = states_of(door, execution)
    rounds = sum(state in ("Watch", "CheckMedia", "ShallItGoOn") for state in entered)
    assert rounds >= 6
    once = len(entered) - rounds
    hour = once + 3 * 3600 // 60  # a round a minute is the default
    say(f"a session-hour takes {hour} state transitions, {once} of them once")
    assert hour <= 250


def states_of(door, execution):
    """The states that an execution entered, in order: each is a transition that is billed."""
    pages = door.client("stepfunctions").get_paginator("get_execution_history")
    events = [one for page in pages.paginate(executionArn=execution) for one in page["events"]]
    return [
        one["stateEnteredEventDetails"]["name"]
        for one in events
        if one["type"].endswith("StateEntered")
    ]


def test_an_aborted_execution_leaves_nothing(door, watching, wait_until):
    """Catch does not run on an abort: the rule on ended executions does the work."""
    door.client("stepfunctions").stop_execution(executionArn=watching)
    wait_until(door.nothing_is_left, 20)
    assert door.report(watching)["endedBy"] == "aborted"
    messages = wait_until(door.messages, 10)
    assert "problem" in [message["kind"] for message in messages]


def test_a_processor_that_fails_ends_the_session_with_its_own_words(door, watching, wait_until):
    rekognition = door.client("rekognition")
    rekognition.stop_stream_processor(Name=door.processors()[0])
    found = door.ended(watching)
    assert found["error"] == "ProcessorFailed"
    assert "STOPPED" in found["cause"]
    assert door.nothing_is_left()


def test_a_denied_processor_is_explained_to_the_owner(door, camera, wait_until):
    iam = door.client("iam")
    role = next(
        role["RoleName"]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith("whosthere-SessionRole")
    )
    granted = iam.get_role_policy(RoleName=role, PolicyName="least")["PolicyDocument"]
    less = json.loads(
        json.dumps(granted).replace("rekognition:CreateStreamProcessor", "rekognition:X")
    )
    iam.put_role_policy(RoleName=role, PolicyName="least", PolicyDocument=json.dumps(less))
    try:
        found = door.ended(door.start())
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="least", PolicyDocument=json.dumps(granted))
    assert (found["status"], found["error"]) == ("FAILED", "Rekognition.AccessDeniedException")
    assert door.nothing_is_left()
    (problem,) = [message for message in door.messages() if message["kind"] == "problem"]
    assert "Engine=image-search" in problem["message"]
