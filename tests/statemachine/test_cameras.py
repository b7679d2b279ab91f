"""The machine that starts or stops the sessions of many cameras, as text."""

import json
import re
from unittest import mock

import pytest

from tests.statemachine.machine import blocks, choose, evaluate, expressions_of, own, states_of
from tests.support.stack.sam import definition
from whosthere.session.requests import request_stop

BLOCKS = blocks(definition("cameras"))
STATES = states_of(BLOCKS)
ITEM = {"camera": "front-door", "session": "s1", "lockKey": {"pk": {"S": "camera#front-door"}}}
LOCK = {"heldBy": {"S": "s0"}, "session": {"S": "s0"}, "token": {"S": "t"}}
FREE = {"held": {"Bool": False}, "session": {"S": "s0"}}
GIVEN = {
    "action": "start",
    "cameras": [ITEM],
    "request": {"minutes": 5},
    **ITEM,
    "lock": LOCK,
    "token": "t",
}
WHOLE = {
    "input": GIVEN,
    "result": {"Item": LOCK, "Attributes": LOCK},
    "errorOutput": {"Error": "E", "Cause": "why"},
    "context": {"Map": {"Item": {"Index": 0, "Value": ITEM}}},
}
EXPRESSIONS = expressions_of(STATES)
RESULTS = {"started", "busy", "refused", "stopping", "free"}


def outputs(value):
    """Every object of a state that says what became of a camera."""
    if isinstance(value, dict):
        if "result" in value:
            yield value
        for part in value.values():
            yield from outputs(part)
    elif isinstance(value, list):
        for part in value:
            yield from outputs(part)


@pytest.mark.parametrize(("path", "text"), [pytest.param(*one, id=one[0]) for one in EXPRESSIONS])
def test_every_expression_yields_something(path, text):
    assert evaluate(text, WHOLE) is not None, path


def test_the_items_are_express_executions_of_which_one_stops_no_other():
    state = STATES["ForEachCamera"]
    assert state["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "EXPRESS",
    }
    assert state["ToleratedFailurePercentage"] == 100


def test_a_hundred_cameras_are_started_in_a_minute_and_150_a_second_are_not_reached():
    """Step Functions quotas: StartExecution refills 150 a second outside the largest Regions."""
    calls, fastest_s, slowest_s = 2, 0.02, 1
    at_once = STATES["ForEachCamera"]["MaxConcurrency"]
    assert at_once / (calls * fastest_s) < 150
    assert 100 * calls * slowest_s / at_once < 60


@pytest.mark.parametrize("name", [name for name in STATES if STATES[name]["Type"] == "Task"])
def test_whatever_fails_is_one_line_of_the_answer(name):
    last = STATES[name]["Catch"][-1]
    assert (last["ErrorEquals"], last["Next"]) == (["States.ALL"], "Done")
    # The request is written before the session is woken.
    expected = "stopping" if name == "WakeSession" else "refused"
    assert last["Output"]["result"] == expected


def test_the_answers_are_the_ones_that_the_verbs_know():
    said = {one["result"] for state in STATES.values() for one in outputs(own(state))}
    said |= set(re.findall(r"'result': '(\w+)'", json.dumps(definition("cameras"))))
    assert said == RESULTS


@pytest.mark.parametrize(
    ("state", "given", "after"),
    [
        ("WhatToDo", {"action": "start"}, "ReadLock"),
        ("WhatToDo", {"action": "stop"}, "RequestStop"),
        ("IsFree", {"lock": LOCK}, "Done"),
        ("IsFree", {"lock": FREE}, "StartSession"),
        ("IsFree", {}, "StartSession"),
        ("IsAsleep", {"token": "t"}, "WakeSession"),
        ("IsAsleep", {}, "Done"),
    ],
)
def test_choice_goes_where_it_should(state, given, after):
    assert choose(state, given, STATES) == after


def test_a_camera_without_a_lock_and_a_session_that_does_not_sleep_are_no_error():
    nothing = WHOLE | {"result": {"Attributes": {"session": {"S": "s0"}}}}
    assert "lock" not in evaluate(STATES["ReadLock"]["Output"], nothing | {"input": ITEM})
    stopping = {"camera": "front-door", "result": "stopping", "session": "s0"}
    assert evaluate(STATES["RequestStop"]["Output"], nothing) == stopping


def test_each_session_has_the_input_of_all_and_its_own_camera():
    selected = STATES["ForEachCamera"]["ItemSelector"]
    request = evaluate(selected["request"], WHOLE)
    assert request == {"camera": "front-door", "minutes": 5}
    sent = evaluate(STATES["StartSession"]["Arguments"]["Input"], {"input": {"request": request}})
    assert json.loads(sent) == request


def test_a_session_is_woken_as_the_verb_wakes_it():
    table, stepfunctions = mock.Mock(), mock.Mock()
    table.update_item.return_value = {"Attributes": {"session": "s0", "token": "t"}}
    assert request_stop(table, stepfunctions, "front-door") == "s0"
    woken = stepfunctions.send_task_success.call_args.kwargs
    task = STATES["WakeSession"]["Arguments"]
    assert {name[0].lower() + name[1:] for name in task} == set(woken)
    assert task["Output"] == woken["output"]
