"""Each safeguard of a session without the others: what it started is stopped all the same."""

import json
import time
from datetime import UTC, datetime

import pytest

from local.tests.support.laptop.faults import meet
from tests.support.session.safeguards import (
    abandoned,
    is_told,
    schedules,
    watched,
)
from tests.support.stack.camera import streaming
from tests.support.stack.deployed import subscribed
from tests.support.stack.functions import invoke, sample, without_rule
from tests.support.stack.rights import unused
from whosthere.session_store import session_key

DENIED = "Rekognition.AccessDeniedException"
# With this engine images are looked at only by the sweep, and switched off by none.
NOT_BY_THIS_ENGINE = {
    "kinesisvideo:DescribeImageGenerationConfiguration",
    "kinesisvideo:UpdateImageGenerationConfiguration",
}


def freed(answer):
    """What a sweep ended and stopped; photos that it sent again may be another test's."""
    return {key: answer[key] for key in ("locks", "processors", "images")}


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera"), stack=stack.name):
        yield


@pytest.fixture(autouse=True)
def no_faults(laptop, camera):
    meet(laptop)
    yield
    meet(laptop)


@pytest.fixture(scope="module")
def aborted(laptop, stack, camera, wait_until):
    """A session whose execution is aborted: the product with an inbox, and the execution."""
    name = "abort-alone"
    with subscribed(laptop, stack) as product:
        meet(laptop, {"execution": name, "state": "StartProcessor", "do": "abort"})
        execution = product.execute(
            {"camera": "front-door", "minutes": 2, "settings": {"healthCheckSeconds": 1}}, name
        )
        product.ended(execution)
        wait_until(product.nothing_is_left, 20)
        yield product, execution


@pytest.fixture(scope="module")
def caught(laptop, stack, camera, wait_until):
    """A session that fails while no rule notices its end; also how its execution ended."""
    name = "catch-alone"
    with subscribed(laptop, stack) as product:
        meet(laptop, {"execution": name, "state": "StartProcessor", "error": DENIED})
        with without_rule(product):
            found = product.ended(product.execute({"camera": "front-door", "minutes": 1}, name))
            wait_until(product.nothing_is_left, 20)
        yield product, found["executionArn"], found


@pytest.fixture(scope="module")
def overdue(laptop, stack, camera, wait_until):
    """A session that its schedule stops, made due now; also the schedule as it was."""
    with subscribed(laptop, stack) as product:
        execution = abandoned(product, wait_until)
        name, scheduler = execution.rpartition(":")[2], product.client("scheduler")
        found = scheduler.get_schedule(Name=name, GroupName="whosthere-deadlines")
        kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target", "ActionAfterCompletion")
        now = f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})"
        scheduler.update_schedule(ScheduleExpression=now, **{key: found[key] for key in kept})
        wait_until(product.nothing_is_left, 30)
        yield product, execution, found


@pytest.fixture(scope="module")
def swept(laptop, stack, camera, wait_until):
    """A session without a schedule that the sweep finds; also what the sweep answers."""
    with subscribed(laptop, stack) as product:
        execution = abandoned(product, wait_until)
        name = execution.rpartition(":")[2]
        product.client("scheduler").delete_schedule(Name=name, GroupName="whosthere-deadlines")
        answer = invoke(product, "SweepSessionsFunction", {})
        assert product.nothing_is_left()
        yield product, execution, answer


def test_the_rule_cleans_up_after_an_abort(aborted, wait_until):
    product, execution = aborted
    assert product.report(execution)["endedBy"] == "aborted"
    assert is_told(product, wait_until, execution, "its execution was aborted")
    wait_until(lambda: "abort-alone" not in schedules(product))


def test_a_catch_needs_no_other_safeguard(caught, wait_until):
    product, execution, found = caught
    assert found["error"] == DENIED
    assert is_told(product, wait_until, execution, DENIED)
    assert "catch-alone" not in schedules(product)


def test_the_schedule_needs_no_other_safeguard_and_is_gone_afterwards(overdue, wait_until):
    product, execution, found = overdue
    planned = datetime.fromisoformat(found["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)
    late = planned.timestamp() - int(product.row(execution)["deadline"]) / 1000
    assert 120 <= late < 122
    assert found["ActionAfterCompletion"] == "DELETE"
    wait_until(lambda: execution.rpartition(":")[2] not in schedules(product))
    assert product.report(execution)["endedBy"] == "overdue"
    assert is_told(product, wait_until, execution, "stopped by its schedule")


def test_the_sweep_needs_no_other_safeguard(swept, wait_until):
    product, execution, answer = swept
    assert freed(answer) == {"locks": 1, "processors": 0, "images": 0}
    assert product.report(execution)["endedBy"] == "swept"
    assert is_told(product, wait_until, execution, "the hourly sweep found it")


def test_no_right_of_the_safeguards_is_one_too_many(laptop, aborted, caught, overdue, swept):
    assert unused(laptop, "whosthere", "StopSessionFunctionRole") <= NOT_BY_THIS_ENGINE
    # Aborting what hangs takes minutes, a long test below does; and no photo's event is missing.
    rest = NOT_BY_THIS_ENGINE | {"states:StopExecution", "sqs:SendMessage"}
    assert unused(laptop, "whosthere", "SweepSessionsFunctionRole") <= rest
    assert unused(laptop, "whosthere", "DeadlineRole") == set()


@pytest.mark.long  # three sessions; each safeguard alone is tried above
def test_late_events_and_the_sweep_leave_alone_what_should_run(product, wait_until):
    before = abandoned(product, wait_until).rpartition(":")[2]
    invoke(product, "SweepSessionsFunction", {})
    execution = watched(product, wait_until)
    answer = invoke(product, "SweepSessionsFunction", {})
    assert freed(answer) == {"locks": 0, "processors": 0, "images": 0}
    assert len(product.processors()) == 1
    # The event of the session before comes late, while this one runs.
    event = sample("stop_session.json")
    event["detail"]["name"] = before
    invoke(product, "StopSessionFunction", event)
    invoke(product, "StopSessionFunction", {"overdue": before})
    assert len(product.processors()) == 1
    assert not product.is_free()
    product.stop()
    assert json.loads(product.ended(execution)["output"])["endedBy"] == "stop"
    assert product.nothing_is_left()


@pytest.mark.long  # three minutes
def test_the_schedule_stops_a_session_within_three_minutes_after_its_deadline(product, wait_until):
    """Nothing is moved here: rule and Catch are cut, the sweep is not called."""
    execution = abandoned(product, wait_until, minutes=1)
    deadline = int(product.row(execution)["deadline"]) / 1000
    assert product.processors()
    wait_until(product.nothing_is_left, deadline + 180 - time.time())
    assert time.time() - deadline > 120
    wait_until(lambda: execution.rpartition(":")[2] not in schedules(product))
    assert product.report(execution)["endedBy"] == "overdue"
    assert is_told(product, wait_until, execution, "stopped by its schedule")


@pytest.mark.long  # waits for an execution that hangs
def test_the_sweep_ends_an_execution_that_hangs_past_its_deadline(product, wait_until):
    execution = watched(product, wait_until, healthCheckSeconds=600)
    name = execution.rpartition(":")[2]
    product.client("scheduler").delete_schedule(Name=name, GroupName="whosthere-deadlines")
    product.table.update_item(
        Key=session_key(name),
        UpdateExpression="SET deadline = :past",
        ExpressionAttributeValues={":past": round(1000 * (time.time() - 300))},
    )
    with without_rule(product):
        found = invoke(product, "SweepSessionsFunction", {})
    assert freed(found) == {"locks": 1, "processors": 0, "images": 0}
    assert product.state(execution)["status"] == "ABORTED"
    assert product.nothing_is_left()
    assert product.report(execution)["endedBy"] == "overdue"


@pytest.mark.long  # waits until a processor's name is free again
def test_a_processor_left_by_an_ended_session_is_swept_and_told(product, wait_until):
    execution = watched(product, wait_until)
    (name,) = product.processors()
    rekognition = product.client("rekognition")
    left = rekognition.describe_stream_processor(Name=name)
    product.stop()
    product.ended(execution)
    wanted = ("Input", "Output", "Settings", "RoleArn")
    wait_until(lambda: created(rekognition, name, {key: left[key] for key in wanted}))
    rekognition.start_stream_processor(Name=name)
    found = invoke(product, "SweepSessionsFunction", {})
    assert freed(found) == {"locks": 0, "processors": 1, "images": 0}
    assert not product.processors()
    assert is_told(product, wait_until, execution, "is stopped now")


def created(rekognition, name, body):
    """Whether the processor could be created: its name stays reserved for seconds."""
    try:
        rekognition.create_stream_processor(Name=name, **body)
    except rekognition.exceptions.ResourceInUseException:
        return False
    return True
