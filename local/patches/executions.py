"""Step Functions: an execution acts under its machine's role, and ends once."""

import contextvars
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from local import ministack
from local.ministack import names
from local.security.iam import AccessDenied

STATES = "states.amazonaws.com"

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "local_execution", default=None
)


def install() -> None:
    """Correct MiniStack's executions."""
    names.RUN_EXECUTION.replace(_under_its_role(names.RUN_EXECUTION.get()))
    names.FAIL_EXECUTION.replace(_once(names.FAIL_EXECUTION.get()))


def _under_its_role(run: Callable[[str], None]) -> Callable[[str], None]:
    """An execution acts under its machine's role, and its machine's TimeoutSeconds ends it."""

    @functools.wraps(run)
    def run_execution(exec_arn: str) -> None:
        execution = names.EXECUTIONS.get().get(exec_arn)
        machine = names.MACHINES.get().get(execution["stateMachineArn"]) if execution else None
        if execution is None or machine is None:
            run(exec_arn)
            return
        try:
            ministack.check_trust(machine["roleArn"], STATES, machine["stateMachineArn"])
        except AccessDenied as denied:
            names.FAIL_EXECUTION.get()(execution, "States.Runtime", denied.message)
            return
        token = _execution.set(execution)
        principal = ministack.role_principal(machine["roleArn"], execution["name"])
        try:
            with ministack.acting_as(principal), _time_limit(execution, machine):
                run(exec_arn)
        finally:
            _execution.reset(token)

    return run_execution


@contextmanager
def _time_limit(execution: dict[str, Any], machine: Mapping[str, Any]) -> Iterator[None]:
    seconds = json.loads(machine["definition"]).get("TimeoutSeconds")
    if seconds is None:
        yield
        return
    context = contextvars.copy_context()
    timer = threading.Timer(seconds, context.run, args=(time_out, execution))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def time_out(execution: dict[str, Any]) -> None:
    """End the execution as its machine's TimeoutSeconds does."""
    if execution["status"] != "RUNNING":
        return
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    execution.update(status="TIMED_OUT", stopDate=now)
    names.HISTORY.get()(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    names.STATUS_EVENT.get()(execution)


def _once(
    fail: Callable[[dict[str, Any], str, str], None],
) -> Callable[[dict[str, Any], str, str], None]:
    """What fails after an execution was stopped or timed out is no second end of it."""

    @functools.wraps(fail)
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    return fail_execution


def stop_if_ended() -> None:
    """A stopped execution makes no further call, not even a retry."""
    execution = _execution.get()
    if execution is not None and execution["status"] != "RUNNING":
        raise names.TASK_ERROR.get()("States.Runtime", f"The execution is {execution['status']}")
