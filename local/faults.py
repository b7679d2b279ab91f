"""Failures on demand, for tests: what an execution of a state machine meets in which state.

Only where LAPTOP_FAULTS names a file. It holds a JSON list, read anew at each state:

    {"execution": "s1", "state": "StartProcessor", "do": "abort"}
    {"execution": "s1", "state": "StopProcessor", "error": "Rekognition.X", "times": 2}

`do` is abort or time-out, when the state is entered; an `error` is what the state's call meets, so
many `times` (always if not given) and with `after` once the call has taken effect. What a test can
bring about by itself (a missing right, a deleted resource) needs nothing of this.
"""

import contextvars
import functools
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.corrections.executions import time_out
from local.ministack import names

SETTING = "LAPTOP_FAULTS"

_here: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar(
    "state_entered", default=("", "")
)


def install() -> None:
    """Let executions meet what the file says, if there is to be one."""
    path = os.environ.get(SETTING)
    if not path:
        return
    faults = Faults(Path(path))
    names.HISTORY.replace(faults.at_entry(names.HISTORY.get()))
    names.INVOKE_RESOURCE.replace(faults.in_call(names.INVOKE_RESOURCE.get()))
    names.INVOKE_CALLBACK.replace(faults.in_call(names.INVOKE_CALLBACK.get()))


class Faults:
    """The list of failures, and how often each was met."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._met: Counter[str] = Counter()

    def at_entry(self, add_event: Callable[..., None]) -> Callable[..., None]:
        """End the execution when it enters a state."""

        @functools.wraps(add_event)
        def event(execution: dict[str, Any], event_type: str, details: dict[str, Any]) -> None:
            add_event(execution, event_type, details)
            if not event_type.endswith("StateEntered"):
                return
            _here.set((execution["name"], details["stateEnteredEventDetails"]["name"]))
            fault = self._due("do")
            if fault and fault["do"] == "abort":
                names.STOP_EXECUTION.get()({"executionArn": execution["executionArn"]})
            elif fault:
                time_out(execution)

        return event

    def in_call(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        """Fail the call that a state makes."""

        @functools.wraps(invoke)
        def invoke_resource(*given: Any) -> Any:
            fault = self._due("error")
            if fault is None:
                return invoke(*given)
            if fault.get("after"):
                invoke(*given)
            raise names.TASK_ERROR.get()(fault["error"], fault.get("cause", "as the test asked"))

        return invoke_resource

    def _due(self, kind: str) -> dict[str, Any] | None:
        execution, state = _here.get()
        for fault in self._listed():
            if kind in fault and (fault["execution"], fault["state"]) == (execution, state):
                key = json.dumps(fault, sort_keys=True)
                self._met[key] += 1
                if self._met[key] <= fault.get("times", float("inf")):
                    return fault
        return None

    def _listed(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        listed: list[dict[str, Any]] = json.loads(self._path.read_text())
        return listed
