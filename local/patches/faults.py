"""Failures on demand, for tests: what an execution or a role meets, and a processor's records.

Only where LAPTOP_FAULTS names a file. It holds a JSON list, read anew at each use:

    {"execution": "s1", "state": "StartProcessor", "do": "abort"}
    {"execution": "s1", "state": "StopProcessor", "error": "Rekognition.X", "times": 2}
    {"role": "my-stack-StopRole-", "operation": "StopStreamProcessor", "error": "X"}
    {"stream": "front-door", "records": "lost"}

`do` is abort or time-out, when the state is entered, also inside a branch; an `error` is what the
state's call meets, so many `times` (always if not given) and with `after` once the call has taken
effect. A `role`, by how its name begins, meets its error where it asks a JSON service for that
operation over HTTP; `message` is the error's message, and an empty one is left out of the answer.
The records that processors write into a data stream can be `lost`, or `empty` objects. What a test
can bring about by itself (a missing right, a deleted resource) needs nothing of this.

When a failure was met stands beside the file, in a line of `<its name>.met`.
"""

import contextvars
import functools
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.ministack import names
from local.ministack.access import principal_of_key
from local.ministack.services import requested_operation
from local.patches.executions import time_out
from local.rekognition.processors.cloud import LaptopCloud
from local.security.guard import Application, Receive, Scope, Send

SETTING = "LAPTOP_FAULTS"
AS_ASKED = "as the test asked"

_here: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar(
    "state_entered", default=("", "")
)


def install() -> None:
    """Let executions and requests meet what the file says, if there is to be one."""
    path = os.environ.get(SETTING)
    if not path:
        return
    faults = Faults(Path(path))
    names.APP.replace(faults.in_front_of(names.APP.get()))
    names.HISTORY.replace(faults.at_entry(names.HISTORY.get()))
    names.INVOKE_RESOURCE.replace(faults.in_call(names.INVOKE_RESOURCE.get()))
    names.INVOKE_CALLBACK.replace(faults.in_call(names.INVOKE_CALLBACK.get()))
    LaptopCloud.put_record = faults.in_record(LaptopCloud.put_record)  # type: ignore[method-assign]


class Faults:
    """The list of failures, and how often each was met."""

    def __init__(self, path: Path) -> None:
        """Read failures from a file at each use."""
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
            fault = self._due("do", _is_here)
            if fault and fault["do"] == "abort":
                names.STOP_EXECUTION.get()({"executionArn": execution["executionArn"]})
            elif fault:
                time_out(execution)

        return event

    def in_call(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        """Fail the call that a state makes."""

        @functools.wraps(invoke)
        def invoke_resource(*given: Any) -> Any:
            fault = self._due("error", _is_here)
            if fault is None:
                return invoke(*given)
            if fault.get("after"):
                invoke(*given)
            raise names.TASK_ERROR.get()(fault["error"], fault.get("cause", AS_ASKED))

        return invoke_resource

    def in_record(self, put: Callable[..., None]) -> Callable[..., None]:
        """Lose or empty what a processor writes."""

        @functools.wraps(put)
        def put_record(cloud: Any, keys: Any, stream_arn: str, record: Any, key: str) -> None:
            stream = stream_arn.rpartition("/")[2]
            found = [one["records"] for one in self._listed() if one.get("stream") == stream]
            if "lost" not in found:
                put(cloud, keys, stream_arn, {} if "empty" in found else record, key)

        return put_record

    def in_front_of(self, application: Application) -> Application:
        """Fail the requests of a role."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            fault = self._due_to(scope) if scope["type"] == "http" else None
            if fault is None:
                await application(scope, receive, send)
                return
            while (await receive()).get("more_body"):
                pass
            await _refuse(send, fault["error"], fault.get("message", AS_ASKED))

        return faulty

    def _due_to(self, scope: Scope) -> dict[str, Any] | None:
        roles = [fault["role"] for fault in self._listed() if "role" in fault]
        if not roles:
            return None
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        role = principal_of_key(names.ACCESS_KEY_OF.get()(headers, {})).role
        operation = requested_operation(scope["path"], headers)

        def is_its(fault: dict[str, Any]) -> bool:
            return operation == fault.get("operation") and role.startswith(fault["role"])

        return self._due("error", is_its)

    def _due(self, kind: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        for fault in self._listed():
            if kind in fault and fits(fault):
                key = json.dumps(fault, sort_keys=True)
                self._met[key] += 1
                if self._met[key] <= fault.get("times", float("inf")):
                    self._note(fault)
                    return fault
        return None

    def _note(self, fault: dict[str, Any]) -> None:
        with self._path.with_suffix(".met").open("a") as lines:
            lines.write(json.dumps(fault | {"at": time.time()}) + "\n")

    def _listed(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        listed: list[dict[str, Any]] = json.loads(self._path.read_text())
        return listed


def _is_here(fault: dict[str, Any]) -> bool:
    return (fault.get("execution"), fault.get("state")) == _here.get()


async def _refuse(send: Send, error: str, message: str) -> None:
    """Send the error; an empty message leaves the member out, as AWS does for a closed service."""
    body = json.dumps({"__type": error} | ({"message": message} if message else {})).encode()
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-errortype", error.encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
