"""Each safeguard of a session without the others: what it started is stopped all the same."""

import json
import time
from datetime import UTC, datetime

import pytest

from local.tests.support.faults import meet
from tests.support.faults import invoke, sample, without_rule
from tests.support.rights import unused
from tests.support.safeguards import abandoned, an_hour_of_video, is_told, schedules, watched
from whosthere.session_store import session_key

# With this engine images are looked at only by the sweep, and switched off by none.
NOT_BY_THIS_ENGINE = {
    "kinesisvideo:DescribeImageGenerationConfiguration",
    "kinesisvideo:UpdateImageGenerationConfiguration",
}


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with an_hour_of_video(laptop, tmp_path_factory.mktemp("camera"), stack.name):
        yield


@pytest.fixture(autouse=True)
def no_faults(laptop, camera):
    meet(laptop)
    yield
    meet(laptop)


def test_the_rule_cleans_up_after_an_abort(door, wait_until):
    name = "abort-alone"
    meet(door.laptop, {"execution": name, "state": "StartProcessor", "do": "abort"})
    execution = door.execute(
        {"camera": "front-door", "minutes": 2, "settings": {"healthCheckSeconds": 1}}, name
    )
    door.ended(execution)
    wait_until(door.nothing_is_left, 20)
    assert door.report(execution)["endedBy"] == "aborted"
    assert is_told(door, wait_until, execution, "its execution was aborted")
    wait_until(lambda: name not in schedules(door), 10)


def test_a_catch_needs_no_other_safeguard(door, wait_until):
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


def test_the_schedule_needs_no_other_safeguard_and_is_gone_afterwards(door, wait_until):
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


def test_the_sweep_needs_no_other_safeguard(door, wait_until):
    execution = abandoned(door, wait_until)
    name = execution.rpartition(":")[2]
    door.client("scheduler").delete_schedule(Name=name, GroupName="whosthere-deadlines")
    assert invoke(door, "SweepSessionsFunction", {}) == {"locks": 1, "processors": 0, "images": 0}
    assert door.nothing_is_left()
    assert door.report(execution)["endedBy"] == "swept"
    assert is_told(door, wait_until, execution, "the hourly sweep found it")


@pytest.mark.long
def test_late_events_and_the_sweep_leave_alone_what_should_run(door, wait_until):
    before = abandoned(door, wait_until).rpartition(":")[2]
    invoke(door, "SweepSessionsFunction", {})
    execution = watched(door, wait_until)
    assert invoke(door, "SweepSessionsFunction", {}) == {"locks": 0, "processors": 0, "images": 0}
    assert len(door.processors()) == 1
    # The event of the session before comes late, while this one runs.
    event = sample("stop_session.json")
    event["detail"]["name"] = before
    invoke(door, "StopSessionFunction", event)
    invoke(door, "StopSessionFunction", {"overdue": before})
    assert len(door.processors()) == 1
    assert not door.is_free()
    door.stop()
    assert json.loads(door.ended(execution)["output"])["endedBy"] == "stop"
    assert door.nothing_is_left()


@pytest.mark.long
def test_the_schedule_stops_a_session_within_three_minutes_after_its_deadline(door, wait_until):
    """Nothing is moved here: rule and Catch are cut, the sweep is not called."""
    execution = abandoned(door, wait_until, minutes=1)
    deadline = int(door.row(execution)["deadline"]) / 1000
    assert door.processors()
    wait_until(door.nothing_is_left, deadline + 180 - time.time())
    assert time.time() - deadline > 120
    wait_until(lambda: execution.rpartition(":")[2] not in schedules(door), 20)
    assert door.report(execution)["endedBy"] == "overdue"
    assert is_told(door, wait_until, execution, "stopped by its schedule")


@pytest.mark.long
def test_the_sweep_ends_an_execution_that_hangs_past_its_deadline(door, wait_until):
    execution = watched(door, wait_until, healthCheckSeconds=600)
    name = execution.rpartition(":")[2]
    door.client("scheduler").delete_schedule(Name=name, GroupName="whosthere-deadlines")
    door.table.update_item(
        Key=session_key(name),
        UpdateExpression="SET deadline = :past",
        ExpressionAttributeValues={":past": round(1000 * (time.time() - 300))},
    )
    with without_rule(door):
        found = invoke(door, "SweepSessionsFunction", {})
    assert found == {"locks": 1, "processors": 0, "images": 0}
    assert door.state(execution)["status"] == "ABORTED"
    assert door.nothing_is_left()
    assert door.report(execution)["endedBy"] == "overdue"


@pytest.mark.long
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


def test_no_right_of_the_safeguards_is_one_too_many(door):
    """Runs after the others of this file: they are what uses the rights."""
    assert unused(door.laptop, "whosthere", "StopSessionFunctionRole") <= NOT_BY_THIS_ENGINE
    # Aborting what hangs takes minutes; the long test above does.
    rest = NOT_BY_THIS_ENGINE | {"states:StopExecution"}
    assert unused(door.laptop, "whosthere", "SweepSessionsFunctionRole") <= rest
    assert unused(door.laptop, "whosthere", "DeadlineRole") == set()
