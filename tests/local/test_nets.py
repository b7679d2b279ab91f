"""Each net under a session alone, the others cut: what it started is stopped all the same."""

import json
from datetime import UTC, datetime

import pytest

from tests.local.camera import streaming
from tests.local.faults import invoke, meet, sample, without_rule
from tests.local.rights import unused

# Image generation is looked at by every engine, and switched off where it is on.
NOT_BY_THIS_ENGINE = {"kinesisvideo:UpdateImageGenerationConfiguration"}


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera")):
        yield


@pytest.fixture(autouse=True)
def no_faults(laptop, camera):
    meet(laptop)
    yield
    meet(laptop)


def watched(door, wait_until, **settings):
    execution = door.start(**settings)
    wait_until(lambda: door.is_watching(execution), 40)
    return execution


def abandoned(door, wait_until):
    """A session whose execution is gone and which no rule noticed."""
    with without_rule(door):
        execution = watched(door, wait_until)
        door.client("stepfunctions").stop_execution(executionArn=execution)
    assert door.processors()
    assert not door.is_free()
    return execution


def is_told(door, wait_until, execution, text):
    """Whether exactly one problem of that session was told, with that text."""
    name, found = execution.rpartition(":")[2], []

    def told():
        found.extend(
            message
            for message in door.messages()
            if (message["kind"], message["session"]) == ("problem", name)
        )
        return found

    wait_until(told, 10)
    return len(found) == 1 and text in found[0]["message"]


def schedules(door):
    group = f"{door.stack.name}-deadlines"
    return [
        one["Name"] for one in door.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    ]


@pytest.mark.parametrize("state", ["OpenSession", "StartProcessor"])
def test_the_rule_cleans_up_after_an_abort(door, wait_until, state):
    name = f"abort-{state}"
    meet(door.laptop, {"execution": name, "state": state, "do": "abort"})
    execution = door.execute(
        {"camera": "front-door", "minutes": 2, "settings": {"healthCheckSeconds": 1}}, name
    )
    door.ended(execution)
    wait_until(door.nothing_is_left, 20)
    if state != "OpenSession":
        wait_until(lambda: door.has_report(execution), 10)
        assert door.report(execution)["endedBy"] == "aborted"
        assert is_told(door, wait_until, execution, "its execution was aborted")
    wait_until(lambda: name not in schedules(door), 10)


def test_a_catch_needs_no_other_net(door, wait_until):
    name = "catch-alone"
    denied = {"state": "StartProcessor", "error": "Rekognition.AccessDeniedException"}
    meet(door.laptop, {"execution": name, **denied})
    with without_rule(door):
        execution = door.execute({"camera": "front-door", "minutes": 1}, name)
        found = door.ended(execution)
        assert found["error"] == denied["error"]
        wait_until(door.nothing_is_left, 10)
    assert is_told(door, wait_until, execution, denied["error"])
    assert name not in schedules(door)


def test_the_schedule_needs_no_other_net_and_is_gone_afterwards(door, wait_until):
    execution = abandoned(door, wait_until)
    name, scheduler = execution.rpartition(":")[2], door.client("scheduler")
    found = scheduler.get_schedule(Name=name, GroupName="whosthere-deadlines")
    planned = datetime.fromisoformat(found["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)
    late = planned.timestamp() - int(door.row(execution)["deadline"]) / 1000
    assert 120 <= late < 122
    assert found["ActionAfterCompletion"] == "DELETE"
    kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target", "ActionAfterCompletion")
    now = f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})"
    scheduler.update_schedule(ScheduleExpression=now, **{key: found[key] for key in kept})
    wait_until(door.nothing_is_left, 30)
    wait_until(lambda: name not in schedules(door), 20)
    assert door.report(execution)["endedBy"] == "overdue"
    assert is_told(door, wait_until, execution, "stopped by its schedule")


def test_the_sweep_needs_no_other_net_and_leaves_alone_what_should_run(door, wait_until):
    execution = abandoned(door, wait_until)
    name = execution.rpartition(":")[2]
    door.client("scheduler").delete_schedule(Name=name, GroupName="whosthere-deadlines")
    assert invoke(door, "SweepSessionsFunction", {}) == {"locks": 1, "processors": 0, "images": 0}
    assert door.nothing_is_left()
    assert door.report(execution)["endedBy"] == "swept"
    assert is_told(door, wait_until, execution, "the hourly sweep found it")

    execution = watched(door, wait_until)
    assert invoke(door, "SweepSessionsFunction", {}) == {"locks": 0, "processors": 0, "images": 0}
    assert len(door.processors()) == 1
    # The event of the session before comes late, while this one runs.
    event = sample("stop_session.json")
    event["detail"]["name"] = name
    invoke(door, "StopSessionFunction", event)
    invoke(door, "StopSessionFunction", {"overdue": name})
    assert len(door.processors()) == 1
    assert not door.is_free()
    door.stop()
    assert json.loads(door.ended(execution)["output"])["endedBy"] == "stop"
    assert door.nothing_is_left()


def test_a_processor_left_by_an_ended_session_is_swept_and_told(door, wait_until):
    execution = watched(door, wait_until)
    (name,) = door.processors()
    rekognition = door.client("rekognition")
    left = rekognition.describe_stream_processor(Name=name)
    door.stop()
    door.ended(execution)
    wanted = ("Input", "Output", "Settings", "RoleArn")
    wait_until(lambda: created(rekognition, name, {key: left[key] for key in wanted}), 20)
    rekognition.start_stream_processor(Name=name)
    found = invoke(door, "SweepSessionsFunction", {})
    assert found == {"locks": 0, "processors": 1, "images": 0}
    assert not door.processors()
    assert is_told(door, wait_until, execution, "is stopped now")


def created(rekognition, name, body):
    """Whether the processor could be created: its name stays reserved for seconds."""
    try:
        rekognition.create_stream_processor(Name=name, **body)
    except rekognition.exceptions.ResourceInUseException:
        return False
    return True


def test_no_right_of_the_nets_is_one_too_many(door):
    """Runs after the others of this file: they are what uses the rights."""
    assert unused(door.laptop, "whosthere", "StopSessionRole") <= NOT_BY_THIS_ENGINE
    assert unused(door.laptop, "whosthere", "DeadlineRole") == set()
