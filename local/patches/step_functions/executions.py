"""Step Functions: an execution acts under its machine's role, ends once and is then closed."""

import contextvars
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local import ministack
from local.ministack import names
from local.security.iam import AccessDenied

STATES = "states.amazonaws.com"
ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")

_execution: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar(
    "local_execution", default=None
)
# The execution of each task token that was ever given out.
_token_executions: dict[str, dict[str, Any] | None] = {}
_history_lock = threading.Lock()


def install() -> None:
    """Patch MiniStack's executions."""
    names.RUN_EXECUTION.replace(_under_its_role(names.RUN_EXECUTION.get()))
    names.FAIL_EXECUTION.replace(_once(names.FAIL_EXECUTION.get()))
    names.HISTORY.replace(_until_its_end(names.HISTORY.get()))
    names.INVOKE_CALLBACK.replace(_noting_its_token(names.INVOKE_CALLBACK.get()))
    for send in (names.SEND_SUCCESS, names.SEND_FAILURE, names.SEND_HEARTBEAT):
        send.replace(_for_open_tasks(send.get()))


def _under_its_role(run: Callable[[str], None]) -> Callable[[str], None]:
    """Run an execution under its machine's role and TimeoutSeconds."""

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
    execution.update(status="TIMED_OUT", stopDate=names.NOW.get()())
    names.HISTORY.get()(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    names.STATUS_EVENT.get()(execution)


def _once(
    fail: Callable[[dict[str, Any], str, str], None],
) -> Callable[[dict[str, Any], str, str], None]:
    """Ignore failures after an execution was stopped or timed out."""

    @functools.wraps(fail)
    def fail_execution(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    return fail_execution


def _until_its_end(add_event: Callable[..., Any]) -> Callable[..., Any]:
    """Add no event after the one that ends the execution; branches add theirs one at a time."""

    @functools.wraps(add_event)
    def add(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        with _history_lock:
            events = execution["events"]
            if events and events[-1]["type"] in ENDS:
                return None
            return add_event(execution, event_type, details)

    return add


def _noting_its_token(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Remember which execution waits with the token."""

    @functools.wraps(invoke)
    def invoke_with_callback(resource: str, input_data: Any, token: str, state_def: Any) -> Any:
        _token_executions[token] = _execution.get()
        return invoke(resource, input_data, token, state_def)

    return invoke_with_callback


def _for_open_tasks(send: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Answer TaskTimedOut where the wait or the execution with the token has ended.

    Source: API reference, SendTaskSuccess, Errors. The same for SendTaskFailure and
    SendTaskHeartbeat.
    """

    @functools.wraps(send)
    def send_task(data: Any) -> Any:
        token = data.get("taskToken")
        execution = _token_executions.get(token)
        is_open = token in names.TASK_TOKENS.get()
        if execution is None or (is_open and execution["status"] == "RUNNING"):
            return send(data)
        message = "Task Timed Out: 'Provided task does not exist anymore'"
        return names.ERROR_ANSWER.get()("TaskTimedOut", message, 400)

    return send_task


def is_in_execution() -> bool:
    """Return whether the code runs as part of an execution."""
    return _execution.get() is not None


def stop_if_ended() -> None:
    """Raise States.Runtime if the execution has ended, so that it makes no further call."""
    execution = _execution.get()
    if execution is not None and execution["status"] != "RUNNING":
        raise names.TASK_ERROR.get()("States.Runtime", f"The execution is {execution['status']}")
