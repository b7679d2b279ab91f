"""The state machine as text: every state goes where it should, and nowhere else."""

import json
import re
import time

import pytest

from tests.statemachine.machine import (
    ANSWER,
    BLOCKS,
    EXPRESSIONS,
    SESSION,
    STATES,
    TASKS,
    WHOLE,
    choose,
    evaluate,
    expressions,
    own,
    ways,
)
from tests.support.stack.sam import ROOT, template_text

TEXT = (ROOT / "statemachine" / "session.asl.yaml").read_text()
# All that is more than to read a path, to compare it or to pass it on.
COMPUTED = {
    "OpenSession.Catch.0.Output.cause": "$parse($states.errorOutput.Cause).errorMessage",
    "CheckSession.Catch.0.Assign.failedChecks": "$failedChecks + 1",
    "StartProcessor.Catch.1.Output.ending": "$merge([$states.errorOutput, $blocked])",
    "Sleep.TimeoutSeconds": "$max([1, $min([$states.input.sleepSeconds,"
    " $ceil($session.deadline - $millis() / 1000)])])",
}
PATH = r"\$\w+(?:\.\w+|\[(?:\d+|\$\w+)\])*"
COMPARED = rf"{PATH} (?:=|>=) (?:'[\w-]+'|\d+)"


def test_the_machine_fits_on_a_few_screens():
    lines = TEXT.splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 110
    assert len(STATES) <= 18


def assigned(states):
    """Variables that these states assign, on whichever way."""
    return {variable for state in states.values() for _, names in ways(state) for variable in names}


def test_no_block_assigns_a_variable_of_another():
    """Step Functions refuses a name that a branch and what is around it both assign."""
    seen = [assigned(block.states) for block in BLOCKS]
    assert seen[1:] and all(seen)
    assert len(set().union(*seen)) == sum(map(len, seen))


@pytest.mark.parametrize("name", sorted({*BLOCKS[0].states} - {"StopSession"}))
def test_whatever_fails_leads_to_stopping(name):
    """Within the block nothing leads out of it, so its one Catch is enough."""
    state = STATES[name]
    if state["Type"] not in ("Task", "Parallel"):
        return
    last = state["Catch"][-1]
    assert (last["ErrorEquals"], last["Next"]) == (["States.ALL"], "StopSession")
    assert last["Assign"] == {"ending": "{% $states.errorOutput %}"}


def test_all_that_is_computed_is_listed():
    found = {}
    for path, text in EXPRESSIONS:
        inside = re.fullmatch(r"\{% (.*) %\}", text, re.DOTALL)[1]
        simple = rf"(?:{PATH}|{COMPARED}(?: and {COMPARED})*)"
        if not re.fullmatch(simple, inside):
            found[path] = inside
    assert found == COMPUTED


@pytest.mark.parametrize(("path", "text"), [pytest.param(*one, id=one[0]) for one in EXPRESSIONS])
def test_every_expression_yields_something(path, text):
    assert evaluate(text) is not None, path


def test_a_wrong_expression_is_noticed():
    with pytest.raises(AssertionError):
        assert evaluate("{% $states.input.noSuchField %}") is not None


@pytest.mark.parametrize(
    ("state", "change", "engine", "after"),
    [
        ("WhatNext", {"next": "sleep"}, "stream-processor", "Sleep"),
        ("WhatNext", {"next": "start"}, "stream-processor", "CreateProcessor"),
        ("WhatNext", {"next": "start"}, "image-search", "EnableImages"),
        ("WhatNext", {"next": "stop-engine"}, "stream-processor", "StopEngine"),
        ("WhatNext", {"next": "stop-engine"}, "image-search", "StopEngine"),
        ("WhatNext", {"next": "end"}, "stream-processor", "Finished"),
        ("HasSucceeded", {"succeeded": True}, "", "Ended"),
        ("HasSucceeded", {"succeeded": False}, "", "EndedByProblem"),
    ],
)
def test_choice_goes_where_it_should(state, change, engine, after):
    given = WHOLE["input"] | change
    assert choose(state, given, session=SESSION | {"engine": engine}) == after


def test_what_a_check_answers_is_what_the_machine_knows():
    from whosthere.session import decision as check

    answers = {check.START, check.SLEEP, check.STOP_ENGINE, check.END}
    text = json.dumps(STATES["WhatNext"])
    assert {answer for answer in answers if f"'{answer}'" in text} == answers - {check.SLEEP}


def test_a_check_that_fails_is_slept_over_and_the_tenth_in_a_row_ends_the_session():
    catch = STATES["CheckSession"]["Catch"][-1]
    assert catch["ErrorEquals"] == ["States.ALL"]
    for failed in range(10):
        output = {
            key: evaluate(catch["Output"][key], failedChecks=failed)
            for key in ("next", "sleepSeconds")
        }
        after = choose("WhatNext", WHOLE["input"] | output)
        assert after == ("Sleep" if failed < 9 else "Finished")
        assert output["sleepSeconds"] >= 1
    assert evaluate(catch["Assign"]["failedChecks"], failedChecks=4) == 5
    answered = STATES["CheckSession"]["Assign"]["failedChecks"]
    assert answered == "{% $states.result.Payload.failedChecks %}"


@pytest.mark.parametrize(
    ("left", "asked", "given"), [(3600, 600, 600), (90.5, 600, 91), (90, 60, 60), (-30, 600, 1)]
)
def test_a_sleep_never_passes_the_deadline(left, asked, given, monkeypatch):
    now = time.time()
    monkeypatch.setattr("jsonata.functions.Functions.millis", lambda: now * 1000)
    text = STATES["Sleep"]["TimeoutSeconds"]
    session = SESSION | {"deadline": now + left}
    states = WHOLE | {"input": ANSWER | {"sleepSeconds": asked}}
    assert evaluate(text, states, session=session) == given


def test_a_machine_without_an_answer_knows_the_requests_from_the_lock():
    assert evaluate(STATES["Begin"]["Assign"]["requests"]) == SESSION["requests"] == "3"


def test_who_has_the_stream_is_reported_and_not_that_the_processor_is_missing():
    missing = WHOLE | {"errorOutput": {"Error": "NotFound", "Cause": "no processor"}}
    text = STATES["StartProcessor"]["Catch"][-1]["Output"]["ending"]
    blocked = {"Error": "InUse", "Cause": "used by another"}
    assert evaluate(text, missing, blocked=blocked) == blocked
    assert evaluate(text, missing) == missing["errorOutput"]
    # One that was made after all has the stream.
    assert STATES["CreateProcessor"]["Assign"] == {"blocked": {}}


def test_a_request_that_comes_before_the_token_is_not_slept_through():
    sleep = STATES["Sleep"]["Arguments"]
    assert "requests = :requests" in sleep["ConditionExpression"]
    seen = STATES["CheckSession"]["Assign"]["requests"]
    assert seen == "{% $states.result.Payload.requests %}"
    assert sleep["ExpressionAttributeValues"][":requests"] == {"N": "{% $requests %}"}
    caught = STATES["Sleep"]["Catch"][-1]
    assert "DynamoDb.ConditionalCheckFailedException" in caught["ErrorEquals"]
    assert caught["Next"] == "CheckSession"


def test_only_the_last_try_to_stop_is_told_as_one_that_failed():
    task = STATES["StopSession"]
    text = task["Arguments"]["Payload"]["isLastTry"]
    (retry,) = task["Retry"]  # the count is over all retriers
    tries = retry["MaxAttempts"]
    context = WHOLE["context"]
    said = [
        evaluate(text, WHOLE | {"context": context | {"State": {"RetryCount": count}}})
        for count in range(tries + 1)
    ]
    assert said == [False] * tries + [True]


def test_a_function_is_given_time_to_end_by_itself():
    """Its own error is worth more than States.Timeout."""
    resources = template_text()["Resources"]
    default = template_text()["Globals"]["Function"]["Timeout"]
    for task in TASKS.values():
        if task["Resource"].endswith("lambda:invoke"):
            name = re.search(r"\{(\w+)Arn\}", task["Arguments"]["FunctionName"])[1]
            own_timeout = resources[name]["Properties"].get("Timeout", default)
            assert task["TimeoutSeconds"] >= own_timeout + 10


@pytest.mark.parametrize("name", [name for name in TASKS if "lambda:invoke" in str(TASKS[name])])
def test_a_function_that_may_not_be_invoked_is_not_waited_for(name):
    (retry, *_) = [
        retry
        for retry in TASKS[name]["Retry"]
        if {"Lambda.AWSLambdaException", "States.ALL"} & set(retry["ErrorEquals"])
    ]
    waits = [
        retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"])
    ]
    # Each try to stop counts: the rule on ended executions comes only after the last one.
    assert sum(waits) <= (9 if name == "StopSession" else 3)


def variables_read(state):
    """Variables that a state's expressions read: no function, nothing bound within."""
    for _, text in expressions(own(state)):
        yield from set(re.findall(r"\$([a-zA-Z]\w*)\b(?!\s*\()", text)) - {"states"}


def surely_assigned(block, known_around=frozenset()):
    """For each state the variables that have a value, whichever way led to it."""
    known = {block.start: set(known_around)}
    while True:
        before = {name: set(names) for name, names in known.items()}
        for name in before:
            for after, names in ways(block.states[name]):
                arriving = before[name] | names
                known[after] = known.get(after, arriving) & arriving
        if known == before:
            return known


def test_every_variable_has_a_value_whichever_way_led_there():
    """One without makes the expression fail, and no Catch of a Choice could help."""
    known = {}
    for block in BLOCKS:
        around = known[block.outside[0]] if block.outside else frozenset()
        known |= surely_assigned(block, around)
    for name, state in STATES.items():
        assert set(variables_read(state)) <= known[name], name
