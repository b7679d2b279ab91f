"""The state machine as text: every state goes where it should, and nowhere else."""

import json
import re
import time
from collections import Counter

import boto3
import pytest
from cfnlint.api import lint_all

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
from tests.support.stack.sam import ROOT, definition, template_text
from whosthere import errors

TEXT = (ROOT / "statemachine" / "session.asl.yaml").read_text()
ENDS = ("Succeed", "Fail")
KEYS = [
    *("Type", "Comment", "Resource", "Branches", "Arguments", "Choices", "Error", "Cause"),
    *("Assign", "Output", "TimeoutSeconds", "Retry", "Catch", "Default", "Next", "End"),
]
TRANSIENT = {
    "lambda": "Lambda.TooManyRequestsException",
    "rekognition": "Rekognition.ThrottlingException",
    "kinesisvideo": "KinesisVideo.ClientLimitExceededException",
    "dynamodb": "DynamoDb.ThrottlingException",
}
# What Step Functions itself adds (developer guide: "Error names"; "Best practices", Lambda).
OF_STEP_FUNCTIONS = {"States.ALL", "States.Timeout", "Lambda.AWSLambdaException"}
OF_THE_SDK = {"SdkClientException", "ClientExecutionTimeoutException"}
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


def follow(state):
    """Every state that may come after this one."""
    return {after for after, _ in ways(state)}


def test_the_machine_fits_on_a_few_screens():
    lines = TEXT.splitlines()
    assert len(lines) <= 300
    assert max(map(len, lines)) <= 110
    assert len(STATES) <= 18


def test_retry_and_catch_stand_in_block_form():
    assert not re.search(r"(Retry|Catch|Choices):[ ]*\[", TEXT)


@pytest.mark.parametrize("name", STATES)
def test_the_keys_of_a_state_have_their_order(name):
    keys = list(STATES[name])
    if STATES[name]["Type"] == "Parallel":  # what follows its block is read after it
        keys.remove("Comment")
    assert [key for key in KEYS if key in keys] == keys


def test_names_of_states_are_unique_over_all_blocks():
    """Or no history could tell them apart."""
    assert max(Counter(name for block in BLOCKS for name in block.states).values()) == 1


def test_every_next_state_is_in_the_same_block():
    for block in BLOCKS:
        assert block.start in block.states
        for name, state in block.states.items():
            assert follow(state) <= set(block.states), name


def test_every_state_can_be_reached():
    for block in BLOCKS:
        reached, frontier = set(), {block.start}
        while frontier:
            reached |= frontier
            frontier = set().union(*(follow(block.states[name]) for name in frontier)) - reached
        assert reached == set(block.states)


@pytest.mark.parametrize("name", STATES)
def test_every_state_ends_or_goes_on(name):
    state = STATES[name]
    ends = state["Type"] in ENDS or state.get("End", False)
    assert ends != bool({"Next", "Default"} & set(state))


def assigned(states):
    """Variables that these states assign, on whichever way."""
    return {variable for state in states.values() for _, names in ways(state) for variable in names}


def test_no_block_assigns_a_variable_of_another():
    """Step Functions refuses a name that a branch and what is around it both assign."""
    seen = [assigned(block.states) for block in BLOCKS]
    assert seen[1:] and all(seen)
    assert len(set().union(*seen)) == sum(map(len, seen))


def test_every_substitution_is_supplied_and_used():
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(definition())))
    machine = template_text()["Resources"]["SessionStateMachine"]["Properties"]
    assert used == set(machine["DefinitionSubstitutions"])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_and_retries_what_passes_by_itself(name):
    task = TASKS[name]
    assert task["TimeoutSeconds"]
    service = re.search(r"states:::(?:aws-sdk:)?(\w+):", task["Resource"])[1]
    retried = {error for retry in task["Retry"] for error in retry["ErrorEquals"]}
    assert retried & {TRANSIENT[service], "States.ALL"}
    for retry in task["Retry"]:
        assert retry["JitterStrategy"] == "FULL"


@pytest.mark.parametrize("name", sorted({*BLOCKS[0].states} - {"StopSession"}))
def test_whatever_fails_leads_to_stopping(name):
    """Within the block nothing leads out of it, so its one Catch is enough."""
    state = STATES[name]
    if state["Type"] not in ("Task", "Parallel"):
        return
    last = state["Catch"][-1]
    assert (last["ErrorEquals"], last["Next"]) == (["States.ALL"], "StopSession")
    assert last["Assign"] == {"ending": "{% $states.errorOutput %}"}


def named_errors():
    for name, state in STATES.items():
        for way in [*state.get("Retry", ()), *state.get("Catch", ())]:
            for error in way["ErrorEquals"]:
                yield name, error


@pytest.mark.parametrize("error", sorted({error for _, error in named_errors()}))
def test_every_error_is_a_class_of_ours_or_one_that_its_service_knows(error):
    if error in OF_STEP_FUNCTIONS:
        return
    service, _, shape = error.rpartition(".")
    if not service:
        assert issubclass(getattr(errors, error), errors.WhosthereError)
    elif shape not in OF_THE_SDK:
        model = boto3.client(service.lower(), region_name="us-east-1").meta.service_model
        known = {one.name for one in model.error_shapes}
        # The shape's name, and "Exception" behind it if it lacks that.
        assert shape in known or shape.removesuffix("Exception") in known


def test_errors_are_caught_where_their_service_is_called():
    """A name of another service would never match."""
    for name, error in named_errors():
        service = error.partition(".")[0].lower()
        if "." in error and service != "states":
            assert f":{service}:" in TASKS[name]["Resource"]


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
def test_a_sleep_never_passes_the_deadline(left, asked, given):
    text = STATES["Sleep"]["TimeoutSeconds"]
    session = SESSION | {"deadline": time.time() + left}
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


def test_cfn_lint_accepts_the_definition():
    literal = definition()
    # cfn-lint (E3601) knows TimeoutSeconds as a number only; Step Functions takes JSONata too.
    literal["States"]["RunSession"]["Branches"][0]["States"]["Sleep"]["TimeoutSeconds"] = 60
    names = re.findall(r"\$\{(\w+)\}", json.dumps(literal))
    function = "arn:aws:lambda:us-east-1:111122223333:function:f"
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::111122223333:role/session",
                    "Definition": literal,
                    "DefinitionSubstitutions": dict.fromkeys(names, function),
                },
            }
        }
    }
    found = lint_all(json.dumps(template))
    assert [match for match in found if match.rule.severity != "informational"] == []


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
