"""The state machine as text: every state goes where it should, and nowhere else."""

import json
import re

import jsonata
import pytest
from cfnlint.api import lint_all

from tests.support.sam import definition, template_text
from whosthere import errors

STATES = definition()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
TRANSIENT = {
    "lambda": "Lambda.TooManyRequestsException",
    "rekognition": "Rekognition.ThrottlingException",
    "kinesisvideo": "KinesisVideo.ClientLimitExceededException",
    "dynamodb": "DynamoDb.ThrottlingException",
    "sns": "Sns.ThrottledException",
}
SESSION = {
    "id": "s1",
    "camera": "front-door",
    "engine": "stream-processor",
    "deadline": 10**15,
    "deadlineText": "18:02",
    "stream": "whosthere-front-door",
    "videoArn": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-front-door/1",
    "dataArn": "arn:aws:kinesis:us-east-1:111122223333:stream/whosthere-front-door",
    "processor": "whosthere-front-door-s1",
    "imagesUri": "s3://bucket/frames/front-door/",
    "samplingMilliseconds": 1000,
    "healthCheckSeconds": 60,
    "mediaWaitSeconds": 600,
    "onSilence": "end",
    "silenceLeftSeconds": 10,
    "tell": ["start", "problem"],
}
HEALTHY = {
    "live": True,
    "silent": False,
    "engineProblem": "",
    "recordsProblem": "",
    "overdue": False,
    "waitedSeconds": 1,
    "stopRequested": False,
    "paused": False,
    "pausedUntil": 0,
}
VARIABLES = {
    "session": SESSION,
    "attempt": 1,
    "startedAt": 1.0,
    "pausing": False,
    "running": True,
    "pausedUntil": 0,
    "startTold": False,
    "silentSince": 0,
    "recordsProblem": "",
    "waited": 0,
    "looks": 1,
    "endedBy": "deadline",
    "error": "Some.Error",
    "cause": "why",
}
STATUS = {"Status": "RUNNING", "StatusMessage": "fine"}
WHOLE = {
    "input": HEALTHY | {"status": "RUNNING", "message": ""},
    "result": {"Payload": SESSION} | STATUS,
    "errorOutput": {"Error": "E", "Cause": json.dumps({"errorMessage": "bad camera"})},
    "context": {
        "Execution": {"Name": "s1", "Id": "arn", "StartTime": "2026-11-22T10:00:00Z"},
        "Task": {"Token": "t"},
    },
}


def evaluate(text, states=WHOLE, **variables):
    """What a `{% ... %}` yields with these states and variables."""
    expression = jsonata.Jsonata(re.fullmatch(r"\{%(.*)%\}", text, re.S)[1].strip())
    # Step Functions adds $parse to JSONata (Transforming data with JSONata)
    expression.register_lambda("parse", json.loads)
    for name, value in {"states": states, **VARIABLES, **variables}.items():
        expression.assign(name, value)
    return expression.evaluate(None)


def expressions(value, path=()):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from expressions(part, (*path, str(key)))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from expressions(part, (*path, str(place)))
    elif isinstance(value, str) and "{%" in value:
        yield ".".join(path), value


def follow(state):
    """Every state that may come after this one."""
    found = {state[key] for key in ("Next", "Default") if key in state}
    for branch in ("Choices", "Catch"):
        found |= {way["Next"] for way in state.get(branch, [])}
    return found


def choose(name, state_input, **variables):
    """Where a Choice state goes with this input and these variables."""
    for choice in STATES[name]["Choices"]:
        if evaluate(choice["Condition"], WHOLE | {"input": state_input}, **variables):
            return choice["Next"], choice.get("Assign", {})
    return STATES[name]["Default"], STATES[name].get("Assign", {})


def test_every_next_state_exists():
    for name, state in STATES.items():
        assert follow(state) <= set(STATES), name


def test_every_state_can_be_reached():
    reached, frontier = set(), {definition()["StartAt"]}
    while frontier:
        reached |= frontier
        frontier = set().union(*(follow(STATES[name]) for name in frontier)) - reached
    assert reached == set(STATES)


def test_every_state_ends_or_goes_on():
    for name, state in STATES.items():
        ends = state["Type"] in ("Succeed", "Fail")
        assert ends != bool(follow(state)), name


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
    assert TRANSIENT[service] in retried


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"CloseSession"}))
def test_every_task_catches_whatever_happens(name):
    assert TASKS[name]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


def test_every_error_of_our_own_is_a_class():
    own = {
        error
        for task in TASKS.values()
        for way in task["Retry"] + task.get("Catch", [])
        for error in way["ErrorEquals"]
        if "." not in error
    }
    assert own
    for error in own:
        assert issubclass(getattr(errors, error), errors.WhosthereError)


@pytest.mark.parametrize(
    ("path", "text"),
    [pytest.param(*found, id=found[0]) for found in expressions(STATES)],
)
def test_every_expression_yields_something(path, text):
    assert evaluate(text) is not None, path


def test_a_wrong_expression_is_noticed():
    with pytest.raises(AssertionError):
        assert evaluate("{% $states.input.noSuchField %}") is not None


def test_expressions_are_whole_values():
    """`{%` amid other text is no expression to Step Functions."""
    for path, text in expressions(STATES):
        assert text.startswith("{%") and text.endswith("%}"), path


@pytest.mark.parametrize(
    ("state", "change", "variables", "after", "ended_by"),
    [
        ("MayItStart", {}, {}, "CreateProcessor", None),
        ("MayItStart", {"live": False}, {}, "WaitForMedia", None),
        (
            "MayItStart",
            {"live": False, "waitedSeconds": 600},
            {},
            "CloseSession",
            "no-media",
        ),
        ("MayItStart", {"stopRequested": True}, {}, "CloseSession", "stop"),
        ("MayItStart", {"overdue": True}, {}, "CloseSession", "deadline"),
        ("MayItStart", {}, {"engine": "image-search"}, "EnableImages", None),
        ("IsItRunning", {"status": "RUNNING"}, {}, "MarkRunning", None),
        (
            "IsItRunning",
            {"status": "STARTING"},
            {"startedAt": 1e15},
            "WaitForProcessor",
            None,
        ),
        ("IsItRunning", {"status": "STARTING"}, {}, "StopProcessor", None),
        (
            "IsItRunning",
            {"status": "STARTING"},
            {"attempt": 2},
            "StopEngine",
            "problem",
        ),
        ("IsItRunning", {"status": "FAILED"}, {}, "StopEngine", "problem"),
        ("IsItRunning", {"status": "STOPPED"}, {"startedAt": 1e15}, "WaitForProcessor", None),
        ("IsItRunning", {"status": "STOPPED"}, {}, "StopEngine", "problem"),
        ("MayItStart", {"paused": True}, {}, "Paused", None),
        ("MayItStart", {"paused": True, "overdue": True}, {}, "CloseSession", "deadline"),
        ("WhatNext", {}, {"attempt": 3, "pausing": True}, "Paused", None),
        ("WhatNext", {}, {"attempt": 1}, "LetRecordsArrive", None),
        ("WhatNext", {}, {"attempt": 2}, "CreateProcessor", None),
        ("WhatNext", {}, {"attempt": 3}, "LetRecordsArrive", None),
        ("ShallOwnerKnowStart", {}, {}, "TellStart", None),
        ("ShallOwnerKnowStart", {}, {"startTold": True}, "Watch", None),
        ("ShallOwnerKnowStart", {}, {"tell": ["problem"]}, "Watch", None),
        ("ShallOwnerKnowStart", {}, {"tell": []}, "Watch", None),
        ("ShallItGoOn", {}, {}, "Watch", None),
        ("ShallItGoOn", {"stopRequested": True}, {}, "StopEngine", "stop"),
        ("ShallItGoOn", {"overdue": True}, {}, "StopEngine", "deadline"),
        ("ShallItGoOn", {"engineProblem": "FAILED"}, {}, "StopEngine", "problem"),
        ("ShallItGoOn", {"paused": True}, {}, "StopEngine", None),
        ("ShallItGoOn", {}, {"running": False}, "DescribeProcessor", None),
        ("ShallItGoOn", {"stopRequested": True}, {"running": False}, "StopEngine", "stop"),
        ("ShallItGoOn", {"paused": True, "stopRequested": True}, {}, "StopEngine", "stop"),
        ("ShallItGoOn", {"silent": True}, {}, "ShallOwnerKnowSilence", None),
        ("ShallItGoOn", {"silent": True}, {"silentSince": 1}, "StopEngine", "silence"),
        ("ShallItGoOn", {"silent": True}, {"silentSince": 1e15}, "Watch", None),
        ("ShallItGoOn", {"silent": True}, {"silenceLeftSeconds": 0}, "StopEngine", "silence"),
        (
            "ShallItGoOn",
            {"silent": True},
            {"silentSince": 1, "onSilence": "wait"},
            "Watch",
            None,
        ),
        ("ShallItGoOn", {}, {"silentSince": 1}, "ShallOwnerKnowSilence", None),
        ("ShallItGoOn", {"recordsProblem": "none"}, {}, "TellRecords", None),
        ("ShallItGoOn", {"recordsProblem": "none"}, {"recordsProblem": "other"}, "Watch", None),
        ("ShallItGoOn", {"recordsProblem": "none"}, {"tell": ["start"]}, "Watch", None),
        ("ShallItGoOn", {}, {"recordsProblem": "none"}, "TellRecords", None),
        ("ShallOwnerKnowSilence", {}, {}, "TellSilence", None),
        ("ShallOwnerKnowSilence", {}, {"tell": ["start"]}, "Watch", None),
        ("StopEngine", {}, {}, "StopProcessor", None),
        ("StopEngine", {}, {"engine": "image-search"}, "DisableImages", None),
        ("StopEngine", {}, {"error": "LockLostError"}, "StopProcessor", None),
        (
            "StopEngine",
            {},
            {"engine": "image-search", "error": "LockLostError"},
            "CloseSession",
            None,
        ),
        ("EndedAsPlanned", {}, {"endedBy": "stop"}, "Ended", None),
        ("EndedAsPlanned", {}, {"endedBy": "deadline"}, "Ended", None),
        ("EndedAsPlanned", {}, {"endedBy": "silence"}, "Ended", None),
        ("EndedAsPlanned", {}, {"endedBy": "no-media"}, "Ended", None),
        ("EndedAsPlanned", {}, {"endedBy": "problem"}, "EndedByProblem", None),
        ("EndedAsPlanned", {}, {"endedBy": "not-stopped"}, "EndedByProblem", None),
        ("EndedAsPlanned", {}, {"endedBy": "denied"}, "EndedByProblem", None),
    ],
)
def test_choice_goes_where_it_should(state, change, variables, after, ended_by):
    of_session = {key: value for key, value in variables.items() if key in SESSION}
    others = {key: value for key, value in variables.items() if key not in SESSION}
    state_input = {"status": "RUNNING", "message": ""} | HEALTHY | change
    found, assigned = choose(state, state_input, session=SESSION | of_session, **others)
    assert found == after
    assert assigned.get("endedBy") == ended_by


@pytest.mark.parametrize(
    "name",
    [
        "CreateProcessor",
        "StartProcessor",
        "Watch",
        "CheckMedia",
        "MarkRunning",
        "EnableImages",
    ],
)
def test_whatever_fails_once_something_runs_leads_to_stopping(name):
    assert TASKS[name]["Catch"][-1]["Next"] == "StopEngine"


def test_the_health_check_never_sleeps_past_the_deadline():
    timeout = STATES["Watch"]["TimeoutSeconds"]
    assert evaluate(timeout) == 60
    assert evaluate(timeout, session=SESSION | {"deadline": 0}) == 1


def loop_of(name):
    """The states that a session goes round through when nothing happens."""
    loop = []
    while name not in loop:
        loop.append(name)
        name = STATES[name].get("Default") or STATES[name]["Next"]
    return loop[loop.index(name) :]


def test_a_session_hour_takes_at_most_250_transitions():
    """However long of it the session waits for video, is paused, or watches."""
    every = SESSION["healthCheckSeconds"]
    waiting = [evaluate(STATES["WaitForMedia"]["TimeoutSeconds"], waited=s) for s in (0, 120)]
    assert waiting == [10, every]
    for name in ("Watch", "Paused", "WaitForMedia"):
        assert len(loop_of(name)) == 3
    begin = len(loop_of("WaitForMedia")) * 120 // waiting[0]  # two minutes of looking often
    once = len(STATES) - 3
    assert begin + 3 * (3600 - 120) // every + once <= 250


TOKENS = [name for name in TASKS if TASKS[name]["Resource"].endswith(".waitForTaskToken")]


@pytest.mark.parametrize("name", TOKENS)
def test_a_request_that_comes_before_the_token_is_not_slept_through(name):
    condition = STATES[name]["Arguments"]["ConditionExpression"]
    assert "attribute_not_exists(stopRequested)" in condition
    assert "pausedUntil" in condition
    (caught,) = [
        way["Next"]
        for way in STATES[name]["Catch"]
        if way["ErrorEquals"] == ["DynamoDb.ConditionalCheckFailedException"]
    ]
    assert STATES[caught]["Arguments"]["FunctionName"] == "${CheckMediaFunctionArn}"


def test_a_pause_ends_with_the_session():
    timeout, now = STATES["Paused"]["TimeoutSeconds"], 1_800_000_000_000
    assert evaluate(timeout, pausedUntil=10**15) == 60
    assert evaluate(timeout, pausedUntil=now, session=SESSION | {"deadline": 0}) == 1


def test_cfn_lint_accepts_the_definition():
    literal = definition()
    # cfn-lint (E3601) knows TimeoutSeconds as a number only; Step Functions takes JSONata too.
    for name in TOKENS:
        literal["States"][name]["TimeoutSeconds"] = 60
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


def ways(state):
    """Every way out of a state, with the variables that it assigns."""
    for way in [*state.get("Choices", ()), *state.get("Catch", ())]:
        yield way["Next"], set(way.get("Assign", ()))
    for key in ("Next", "Default"):
        if key in state:
            yield state[key], set(state.get("Assign", ()))


def variables_read(state):
    """Variables that a state's expressions read: no function, nothing bound within."""
    for _, text in expressions(state):
        bound = set(re.findall(r"\$(\w+)\s*:=", text))
        yield from set(re.findall(r"\$([a-zA-Z]\w*)\b(?!\s*\()", text)) - bound - {"states"}


def surely_assigned():
    """For each state the variables that have a value, whichever way led to it."""
    known = {definition()["StartAt"]: set()}
    while True:
        before = {name: set(names) for name, names in known.items()}
        for name in before:
            for after, assigned in ways(STATES[name]):
                arriving = before[name] | assigned
                known[after] = known.get(after, arriving) & arriving
        if known == before:
            return known


@pytest.mark.parametrize("name", STATES)
def test_every_variable_has_a_value_whichever_way_led_there(name):
    """One without makes the expression fail, and no Catch of a Choice could help."""
    assert set(variables_read(STATES[name])) <= surely_assigned()[name]


def test_a_processor_counts_as_deleted_only_when_it_is_not_there():
    deleted = {
        error: way["Next"]
        for way in TASKS["DeleteProcessor"]["Catch"]
        for error in way["ErrorEquals"]
    }
    assert deleted["Rekognition.ResourceNotFoundException"] == "LookForProcessor"
    assert deleted["Rekognition.ResourceInUseException"] == "LookForProcessor"
    look = TASKS["LookForProcessor"]
    assert look["Next"] == "IsItStopping"
    assert {way["Next"] for way in look["Catch"]} == {"WhatNext", "CloseSession"}


@pytest.mark.parametrize(
    ("status", "looks", "then"),
    [
        ("STOPPING", 1, "WaitToStop"),
        ("STARTING", 19, "WaitToStop"),
        ("STOPPING", 20, "CloseSession"),
        ("RUNNING", 1, "WaitToStop"),
        ("RUNNING", 2, "CloseSession"),
        ("STOPPED", 2, "CloseSession"),
    ],
)
def test_what_is_stopping_is_waited_for_and_what_runs_on_is_left_to_the_next_net(
    status, looks, then
):
    taken, assigned = choose("IsItStopping", {"status": status}, looks=looks)
    assert taken == then
    assert assigned.get("endedBy") == ("not-stopped" if then == "CloseSession" else None)


@pytest.mark.parametrize("name", [name for name in TASKS if "lambda:invoke" in str(TASKS[name])])
def test_a_function_that_may_not_be_invoked_is_not_waited_for(name):
    """Lambda's name for a denial is its name for much else, so it is tried again, but not long."""
    (retry,) = [
        retry
        for retry in TASKS[name]["Retry"]
        if "Lambda.AWSLambdaException" in retry["ErrorEquals"]
    ]
    waits = [
        retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"])
    ]
    assert sum(waits) <= 3
