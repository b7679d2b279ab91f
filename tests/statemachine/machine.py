"""The state machines as text, for their tests: states of every block, what they evaluate to."""

import json
import re
from dataclasses import dataclass

import jsonata

from tests.support.stack.sam import definition
from whosthere import settings
from whosthere.session.open import opened
from whosthere.session_store import Session

SESSION = opened(
    Session(
        id="s1",
        camera="front-door",
        engine="stream-processor",
        execution="arn",
        started_ms=0,
        deadline_ms=3_600_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(settings.defaults()),
    ),
    requests=3,
    stack="whosthere",
    video_arn="arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-front-door/1",
    data_arn="arn:aws:kinesis:us-east-1:111122223333:stream/whosthere-front-door",
    bucket="bucket",
    region="us-east-1",
)
ENDING = {"endedBy": "deadline", "Error": "Some.Error", "Cause": "why"}
ANSWER = {
    "next": "sleep",
    "sleepSeconds": 60,
    "requests": "3",
    "failedChecks": 0,
    "ending": ENDING,
}
OUTCOME = {"succeeded": True, "error": "Some.Error", "cause": "why"}
VARIABLES = {
    "session": SESSION,
    "ending": ENDING,
    "requests": "3",
    "failedChecks": 0,
    "checkRetries": 0,
    "sleepRetries": 0,
    "blocked": {},
}
WHOLE = {
    "input": ANSWER | OUTCOME,
    "result": {"Payload": SESSION | ANSWER},
    "errorOutput": {"Error": "E", "Cause": json.dumps({"errorMessage": "bad camera"})},
    "context": {
        "Execution": {"Name": "s1", "Id": "arn", "StartTime": "2026-11-22T10:00:00Z", "Input": {}},
        "State": {"Name": "CheckSession", "RetryCount": 0},
        "Task": {"Token": "t"},
    },
}


@dataclass(frozen=True)
class Block:
    """States that lead to one another only: the machine's own, or those of a branch."""

    start: str
    states: dict
    outside: tuple = ()  # the state that holds the block, or nothing


def blocks(machine=None, outside=()):
    """The machine's block, and those within."""
    machine = machine or definition()
    found = [Block(machine["StartAt"], machine["States"], outside)]
    for name, state in machine["States"].items():
        for inner in inner_machines(state):
            found += blocks(inner, (name,))
    return found


def inner_machines(state):
    """The branches of a Parallel state, or what a Map state runs for each item."""
    return [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])]


def states_of(found):
    """The states of all blocks by their names."""
    return {name: state for block in found for name, state in block.states.items()}


BLOCKS = blocks()
STATES = states_of(BLOCKS)
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def own(state):
    """The state without the states within it."""
    return {key: value for key, value in state.items() if key not in ("Branches", "ItemProcessor")}


def evaluate(text, states=WHOLE, **variables):
    """What a `{% ... %}` yields with these states and variables."""
    expression = jsonata.Jsonata(re.fullmatch(r"\{%(.*)%\}", text, re.DOTALL)[1].strip())
    # Step Functions adds $parse to JSONata (Transforming data with JSONata)
    expression.register_lambda("parse", json.loads)
    for name, value in {"states": states, **VARIABLES, **variables}.items():
        expression.assign(name, value)
    return expression.evaluate(None)


def expressions(value, path=()):
    """Every text that holds an expression, with where it stands."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from expressions(part, (*path, str(key)))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from expressions(part, (*path, str(place)))
    elif isinstance(value, str) and "{%" in value:
        yield ".".join(path), value


def expressions_of(states):
    """Every expression of these states, with its state and field."""
    return [
        (f"{name}.{path}", text)
        for name, state in states.items()
        for path, text in expressions(own(state))
    ]


EXPRESSIONS = expressions_of(STATES)


def ways(state):
    """Every way out of a state, with the variables that it assigns."""
    for way in [*state.get("Choices", ()), *state.get("Catch", ())]:
        yield way["Next"], set(way.get("Assign", ()))
    for key in ("Next", "Default"):
        if key in state:
            yield state[key], set(state.get("Assign", ()))


def choose(name, state_input, states=STATES, **variables):
    """Where a Choice state goes with this input and these variables."""
    for choice in states[name]["Choices"]:
        if evaluate(choice["Condition"], WHOLE | {"input": state_input}, **variables):
            return choice["Next"]
    return states[name]["Default"]
