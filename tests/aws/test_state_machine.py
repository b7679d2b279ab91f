"""What Step Functions does with the expressions of the session's definition."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from cli.aws.sessions.all_cameras import FREE, stop_all
from cli.aws.target import Target
from cli.progress import Progress
from whosthere.session_store import read_locks

FUNCTION = "no-such-function-"
WAIT_SECONDS = 60


def definition(function: str) -> dict[str, Any]:
    """Return one state whose every try fails, with an error that names the function it wanted."""
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {
            "FunctionName": f"{{% '{function}' & $string($states.context.State.RetryCount) %}}"
        },
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}],
        "End": True,
    }
    return {"QueryLanguage": "JSONata", "StartAt": "Fail", "States": {"Fail": state}}


@pytest.fixture
def machine(target: Target) -> Iterator[str]:
    """A state machine of this test's own with the rights of the stack's; deleted afterwards."""
    machines = target.session.client("stepfunctions")
    arn = target.output("StateMachineArn")
    made = machines.create_state_machine(
        name=f"{target.stack}-test-{uuid4().hex[:8]}",
        definition=json.dumps(definition(f"{target.stack}-{FUNCTION}")),
        roleArn=machines.describe_state_machine(stateMachineArn=arn)["roleArn"],
    )["stateMachineArn"]
    yield made
    machines.delete_state_machine(stateMachineArn=made)


def test_a_retried_state_evaluates_its_arguments_again(
    target: Target, machine: str, answer: Callable[[str], None]
) -> None:
    """Does a retried state evaluate its arguments again, with another `RetryCount`?"""
    machines = target.session.client("stepfunctions")
    execution = machines.start_execution(stateMachineArn=machine)["executionArn"]
    until = time.monotonic() + WAIT_SECONDS
    while (found := machines.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < until, "the execution does not end"
        time.sleep(0.5)
    counted = re.findall(rf"{FUNCTION}(\d)", found["cause"])
    answer(f"the last of three tries has RetryCount {counted[0] if counted else 'unknown'}")
    assert set(counted) == {"2"}


def test_all_cameras_are_asked_by_one_distributed_map(
    target: Target, answer: Callable[[str], None]
) -> None:
    """Does the Distributed Map of `stop --all` run, and see that no session holds a camera?"""
    locks = read_locks(target.table(), target.cameras)
    if any(lock.get("held") for lock in locks.values()):
        pytest.skip("a session runs, which this would stop: run it again later")
    found = stop_all(target, Progress(to_stderr=True), wait=True)
    answer("; ".join(f"{one.camera}: {one.result} {one.cause}".strip() for one in found))
    assert {one.result for one in found} == {FREE}
