"""Real sessions on the laptop AWS: however one ends, what it started is stopped."""

import json
import random
import time
import uuid

import pytest

from local.tests.support.laptop.faults import meet
from tests.support.session.safeguards import denied
from tests.support.stack.camera import streaming
from tests.support.stack.deployed import QUICK
from whosthere.session.requests import request_pause
from whosthere.session_store import lock_key, session_key

DENIED = "Rekognition.AccessDeniedException"


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera")):
        yield


@pytest.fixture(autouse=True)
def no_faults(laptop):
    meet(laptop)
    yield
    meet(laptop)


@pytest.fixture
def watching(product, camera, wait_until):
    """A session that searches; stopped afterwards, whatever the test did."""
    execution = product.start()
    wait_until(lambda: product.is_watching(execution))
    yield execution
    product.stop()
    product.ended(execution)
    wait_until(product.nothing_is_left, 30)


def test_a_bad_input_fails_at_once_and_names_each_field(product):
    execution = product.execute({"camera": "Front Door", "minutes": -1})
    found = product.ended(execution)
    assert (found["status"], found["error"]) == ("FAILED", "SessionInputError")
    assert "camera" in found["cause"]
    assert "minutes" in found["cause"]
    assert product.nothing_is_left()


def test_an_unknown_camera_is_named(product):
    found = product.ended(product.execute({"camera": "back-door", "minutes": 1}))
    assert found["error"] == "SessionInputError"
    assert "'back-door' is no camera of stack whosthere" in found["cause"]


def test_a_session_runs_until_it_is_asked_to_stop(product, watching, wait_until):
    assert len(product.processors()) == 1
    assert product.stop()
    # Within 5 s, and twice as long for a machine that has other things to do.
    wait_until(lambda: not product.processors(), 15)
    found = product.ended(watching)
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"])["endedBy"] == "stop"
    assert product.nothing_is_left()
    assert product.report(watching)["endedBy"] == "stop"
    texts = [message["message"] for message in product.messages() if message["kind"] == "session"]
    assert sum("Faces are searched at front-door until" in text for text in texts) == 1
    assert sum("ended because it was asked to stop" in text for text in texts) == 1


def test_a_paused_session_runs_nothing_and_goes_on_afterwards(product, watching, wait_until):
    now = round(time.time() * 1000)
    sfn = product.client("stepfunctions")
    assert request_pause(product.table, sfn, "front-door", now + 3_600_000)
    wait_until(lambda: not product.processors(), 60)
    assert not product.is_free()
    assert product.state(watching)["status"] == "RUNNING"
    # A moment that has passed ends the pause, as the pause's own end does.
    assert request_pause(product.table, sfn, "front-door", round(time.time() * 1000))
    wait_until(product.processors, 40)
    assert product.state(watching)["status"] == "RUNNING"


def test_a_second_session_on_the_camera_is_told_which_one_runs(product, watching):
    found = product.ended(product.start())
    assert found["error"] == "CameraBusyError"
    assert watching.rpartition(":")[2] in found["cause"]
    assert len(product.processors()) == 1
    assert not product.is_free()


def test_a_session_ends_at_its_deadline_and_takes_few_transitions(product, camera, say):
    execution = product.start(minutes=0.3)
    found = product.ended(execution)
    assert json.loads(found["output"])["endedBy"] == "deadline"
    assert product.nothing_is_left()
    entered = states_of(product, execution)
    rounds = 3 * entered.count("Sleep")  # with a check before each, and a choice
    assert rounds >= 6
    once = len(entered) - rounds
    hour = once + 3 * 3600 // 60  # a round a minute is the default
    say(f"a session-hour takes {hour} state transitions, {once} of them once")
    assert hour <= 201


def test_a_session_stops_before_it_has_spent_more_than_it_may(product, camera, wait_until):
    # 20 seconds of a stream processor, of which 15 are for stopping it.
    execution = product.start(maxDollars=0.04)
    sentence = "(maxDollars). Nothing that front-door sees is searched until "

    def told():
        return [one for one in product.messages() if sentence in one["message"]]

    (message,) = wait_until(told, 60)
    assert message["kind"] == "problem"
    wait_until(lambda: not product.processors(), 30)
    assert product.state(execution)["status"] == "RUNNING"
    assert product.stop()
    assert json.loads(product.ended(execution)["output"])["endedBy"] == "stop"
    cost = product.report(execution)["cost"]
    assert 0 < cost["engineMinutes"] < 1  # 20 s, unless this machine takes longer to stop it
    assert 0 < cost["videoBytes"] < 50_000_000
    assert cost["dollars"] < 0.13
    assert not told()  # once is enough
    assert product.report(execution)["limitPauses"]["minutes"] >= 0


def states_of(product, execution):
    """The states that an execution entered, in order: each is a transition that is billed."""
    pages = product.client("stepfunctions").get_paginator("get_execution_history")
    events = [one for page in pages.paginate(executionArn=execution) for one in page["events"]]
    return [
        one["stateEnteredEventDetails"]["name"]
        for one in events
        if one["type"].endswith("StateEntered")
    ]


def test_an_aborted_execution_leaves_nothing(product, watching, wait_until):
    """Catch does not run on an abort: the rule on ended executions does the work."""
    product.client("stepfunctions").stop_execution(executionArn=watching)
    wait_until(product.nothing_is_left, 20)
    assert product.report(watching)["endedBy"] == "aborted"
    inbox = []  # the owner is told last, once nothing is left
    wait_until(lambda: inbox.extend(product.messages()) or problems(inbox), 60)


def test_a_processor_that_fails_ends_the_session_with_its_own_words(product, watching, wait_until):
    rekognition = product.client("rekognition")
    rekognition.stop_stream_processor(Name=product.processors()[0])
    found = product.ended(watching)
    assert found["error"] == "ProcessorFailed"
    assert "STOPPED" in found["cause"]
    assert product.nothing_is_left()


def test_a_missing_right_is_explained_to_the_owner(product, camera, wait_until):
    with denied(product, "SessionStateMachineRole", "rekognition:CreateStreamProcessor"):
        found = product.ended(product.start())
    assert (found["status"], found["error"]) == ("FAILED", DENIED)
    assert "is not authorized to perform" in found["cause"]
    assert product.nothing_is_left()
    assert product.report(found["executionArn"])["endedBy"] == "problem"
    (problem,) = [message for message in product.messages() if message["kind"] == "problem"]
    assert "A right is missing" in problem["message"]
    assert "Engine=image-search" not in problem["message"]


def test_a_service_that_is_closed_is_explained_to_the_owner(product, camera):
    """AWS denies every call of stream processors without a message; none of them is needed."""
    refused = {"error": "AccessDeniedException", "message": ""}
    calls = [f"{verb}StreamProcessor" for verb in ("Describe", "Stop", "Delete")]
    roles = [f"whosthere-{name}SessionFunctionRole-" for name in ("Check", "Stop")]
    name = f"closed-{uuid.uuid4().hex[:8]}"
    at_creation = {"execution": name, "state": "CreateProcessor", "error": DENIED, "cause": ""}
    meet(
        product.laptop,
        at_creation,
        *({"role": role, "operation": call} | refused for role in roles for call in calls),
    )
    try:
        request = {"camera": "front-door", "minutes": 1, "settings": QUICK}
        found = product.ended(product.execute(request, name))
    finally:
        meet(product.laptop)
    assert (found["status"], found["error"]) == ("FAILED", DENIED)
    assert product.nothing_is_left()
    assert product.report(found["executionArn"])["endedBy"] == "denied"
    (problem,) = [message for message in product.messages() if message["kind"] == "problem"]
    assert "Engine=image-search" in problem["message"]


FAILING_SLEEP = {"state": "Sleep", "error": "DynamoDb.InternalServerErrorException", "times": 1}


def test_no_request_is_slept_through(product, watching, say):
    """Bursts of requests: some come between a check and its sleep, which then must be refused."""
    slowest, count, random_ = 0.0, 0, random.Random(7)
    session = watching.rpartition(":")[2]
    product.table.update_item(
        Key=session_key(session),
        UpdateExpression="SET settings.healthCheckSeconds = :long",
        ExpressionAttributeValues={":long": 600},
    )
    before = int(product.table.get_item(Key=lock_key("front-door"))["Item"]["requests"])

    def ask():
        over = round(time.time() * 1000) - 1  # a pause that is over changes nothing
        return request_pause(product.table, product.client("stepfunctions"), "front-door", over)

    def seen(number):
        """The seconds until a check has seen that many requests."""
        asked = time.monotonic()
        while not product.row(watching)["check"]["answer"].endswith(f" {before + number}"):
            assert time.monotonic() - asked < 120, f"request {number} is slept through"
            time.sleep(0.01)
        return time.monotonic() - asked

    for burst in range(40):
        if burst >= 4 and sleeps_refused(product, watching) >= 3:
            break
        for _ in range(random_.randint(5, 15)):
            assert ask()
            time.sleep(random_.uniform(0, 0.06))
            count += 1
        slowest = max(slowest, seen(count))
        # The next sleep begins at its second try, up to a second after its check.
        meet(product.laptop, FAILING_SLEEP | {"execution": session, "burst": burst})
        for _ in range(2):
            assert ask()
            count += 1
            slowest = max(slowest, seen(count))
    refused = sleeps_refused(product, watching)
    say(f"{count} requests: the last was seen after {slowest:.2f} s, {refused} came before a sleep")
    assert refused >= 3


def sleeps_refused(product, execution):
    """How many sleeps found that a request had come since the check."""
    pages = product.client("stepfunctions").get_paginator("get_execution_history")
    events = [one for page in pages.paginate(executionArn=execution) for one in page["events"]]
    exits = [one.get("stateExitedEventDetails", {}) for one in events]
    return sum("ConditionalCheckFailed" in one.get("output", "") for one in exits)


def test_a_lock_that_is_lost_ends_the_session_and_touches_no_other(product, watching, wait_until):
    session = watching.rpartition(":")[2]
    product.table.update_item(
        Key=lock_key("front-door"),
        UpdateExpression="SET #session = :other",
        ExpressionAttributeNames={"#session": "session"},
        ExpressionAttributeValues={":other": "another"},
    )
    try:
        found = product.ended(watching)
        wait_until(lambda: not product.processors(), 60)
        lock = product.table.get_item(Key=lock_key("front-door"))["Item"]
        assert (lock["session"], lock["held"]) == ("another", True)
    finally:
        product.table.update_item(
            Key=lock_key("front-door"),
            UpdateExpression="SET #session = :session, held = :false REMOVE heldBy",
            ExpressionAttributeNames={"#session": "session"},
            ExpressionAttributeValues={":session": session, ":false": False},
        )
    assert (found["status"], found["error"]) == ("FAILED", "LockLostError")
    assert product.report(watching)["endedBy"] == "problem"


def test_a_check_that_fails_is_slept_over_and_told_once(product, watching, wait_until):
    """Nothing of the session is lost by it."""
    inbox = []
    refused = {
        "role": "whosthere-CheckSessionFunctionRole-",
        "operation": "DescribeStreamProcessor",
    }
    meet(product.laptop, refused | {"error": "InternalServerError", "times": 6})
    wait_until(lambda: inbox.extend(product.messages()) or problems(inbox), 60)
    assert product.state(watching)["status"] == "RUNNING"
    assert problems(inbox) == ["Session at front-door was not checked"]
    product.stop()
    assert product.ended(watching)["status"] == "SUCCEEDED"
    inbox += product.messages()
    assert problems(inbox) == ["Session at front-door was not checked"]


def problems(messages):
    return [one["subject"] for one in messages if one["kind"] == "problem"]


def test_one_refused_call_while_stopping_is_told_to_nobody(product, watching):
    refused = {"role": "whosthere-StopSessionFunctionRole-", "operation": "StopStreamProcessor"}
    meet(product.laptop, refused | {"error": "AccessDeniedException", "times": 1})
    product.messages()
    product.stop()
    found = product.ended(watching)
    assert json.loads(found["output"])["endedBy"] == "stop"
    assert product.report(watching)["endedBy"] == "stop"
    assert [one["subject"] for one in product.messages()] == ["Session ended at front-door"]
