"""Failures on demand, for tests: what an execution or a role meets, and a processor's records.

Only where LAPTOP_FAULTS names a file. It holds a JSON list, read anew at each use:

    {"execution": "s1", "state": "StartProcessor", "do": "abort"}
    {"execution": "s1", "state": "StopProcessor", "error": "Rekognition.X", "times": 2}
    {"role": "my-stack-StopRole-", "operation": "StopStreamProcessor", "error": "X"}
    {"role": "my-stack-StopRole-", "operation": "UpdateItem", "contains": ["x"], "do": "die"}
    {"stream": "front-door", "records": "lost"}

With an `execution` and a `state`, `do` is abort or time-out, when the state is entered, also inside
a branch; an `error` is what the state's call meets, so many `times` (always if not given). With
`after`, either comes once the call has taken effect. A `role`, by how its name begins, meets its
`error` where it asks a service for that operation over HTTP, if the request's path and body
contain what `contains` lists; `status` is that of the answer (400), `message` the error's, and an
empty one is left out. Also here `after` lets the request take effect first; `do` is die, then: the
function's worker is killed when the request has been answered. `execution` only labels such a line.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus
from xml.sax.saxutils import escape

from local.kinesisvideo.media import app as media
from local.ministack import names
from local.ministack.access import principal_of_key
from local.patches.step_functions.executions import time_out
from local.rekognition.processors.cloud import LaptopCloud
from local.security.guard import Application, Receive, Scope, Send

SETTING = "LAPTOP_FAULTS"
AS_ASKED = "as the test asked"

DIE = "die"
TOKEN_WAIT = ".waitForTaskToken"

_here: contextvars.ContextVar[tuple[str, str, str]] = contextvars.ContextVar(
    "state_entered", default=("", "", "")
)


def install() -> None:
    """Let executions and requests meet what the file says, if there is to be one."""
    path = os.environ.get(SETTING)
    if not path:
        return
    faults = Faults(Path(path))
    names.APP.replace(faults.in_front_of(names.APP.get()))
    media.app = faults.in_front_of(media.app)  # type: ignore
    names.HISTORY.replace(faults.at_entry(names.HISTORY.get()))
    call = names.INVOKE_RESOURCE.get()
    names.INVOKE_RESOURCE.replace(faults.in_call(call, call))
    names.INVOKE_CALLBACK.replace(faults.in_call(names.INVOKE_CALLBACK.get(), call))
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
            state = details["stateEnteredEventDetails"]["name"]
            _here.set((execution["name"], state, execution["executionArn"]))
            fault = self._due(lambda one: "do" in one and not one.get("after") and _is_here(one))
            if fault and fault["do"] == "abort":
                _abort(execution["executionArn"])
            elif fault:
                time_out(execution)

        return event

    def in_call(self, invoke: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
        """Fail the call that a state makes; `call` makes it without waiting for a token."""

        @functools.wraps(invoke)
        def invoke_resource(resource: str, given: Any, *rest: Any) -> Any:
            fault = self._due(lambda one: ("error" in one or "after" in one) and _is_here(one))
            if fault is None:
                return invoke(resource, given, *rest)
            if fault.get("after"):
                answer = call(resource.removesuffix(TOKEN_WAIT), given)
            if "do" in fault:
                _abort(_here.get()[2])
                return answer
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
            role, faults = self._of_role(scope) if scope["type"] == "http" else ("", [])
            if not faults:
                await application(scope, receive, send)
                return
            body = await _read(receive)
            fault = self._due(lambda one: one in faults and _is_asked(one, scope, body))
            again = _replayed(body, receive)
            if fault is None or fault.get("do") == DIE:
                await application(scope, again, _then_killing(role, send) if fault else send)
                return
            if fault.get("after"):
                await application(scope, again, _unheard)
            await _refuse(send, fault, is_xml=_speaks_xml(scope))

        return faulty

    def _of_role(self, scope: Scope) -> tuple[str, list[dict[str, Any]]]:
        """Return the role that asks, and its failures."""
        faults = [fault for fault in self._listed() if "role" in fault]
        if not faults:
            return "", []
        role = principal_of_key(names.ACCESS_KEY_OF.get()(_headers(scope), {})).role
        return role, [fault for fault in faults if role.startswith(fault["role"])]

    def _due(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        for fault in self._listed():
            if fits(fault):
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
    return "role" not in fault and (fault.get("execution"), fault.get("state")) == _here.get()[:2]


def _abort(execution_arn: str) -> None:
    names.STOP_EXECUTION.get()({"executionArn": execution_arn})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what receives a body that was read already, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return left.pop() if left else await receive()

    return receive_again


def _is_asked(fault: Mapping[str, Any], scope: Scope, body: bytes) -> bool:
    """Return whether the request is for the failure's operation and contains its text."""
    if _operation(scope, body) != fault["operation"]:
        return False
    query = scope["query_string"].decode()
    text = unquote_plus(f"{scope['path']}?{query} {body.decode(errors='replace')}")
    return all(part in text for part in fault.get("contains", []))


def _operation(scope: Scope, body: bytes) -> str:
    """Return the operation of a request to whichever service, as IAM calls it."""
    headers, path = _headers(scope), scope["path"]
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    service = names.DETECT_SERVICE.get()(scope["method"], path, headers, query)
    action = names.ACTION_OF.get()(service, scope["method"], path, headers, body, query)
    operation = str(action or path).rpartition(":")[2].strip("/")
    return operation[:1].upper() + operation[1:]


def _speaks_xml(scope: Scope) -> bool:
    """Return whether the request is one to S3 or of the Query protocol, such as SNS's."""
    headers = _headers(scope)
    service = names.DETECT_SERVICE.get()(scope["method"], scope["path"], headers, {})
    return service == "s3" or "x-www-form-urlencoded" in headers.get("content-type", "")


async def _unheard(_message: Any) -> None:
    """Send nothing: the answer is lost."""


def _then_killing(role: str, send: Send) -> Send:
    """Kill the workers of the role's function before they get their answer."""
    doomed = [
        worker
        for workers in names.WORKERS.get().values()
        for worker in workers
        if worker.in_use and worker.config["Role"].rpartition("/")[2] == role
    ]

    async def killing(message: Any) -> None:
        for worker in doomed:
            if process := worker._proc:
                process.kill()
        doomed.clear()
        await send(message)

    return killing


async def _refuse(send: Send, fault: Mapping[str, Any], *, is_xml: bool) -> None:
    """Send the error; an empty message leaves the member out, as AWS does for a closed service."""
    error, message = fault["error"], fault.get("message", AS_ASKED)
    if is_xml:
        code, text = (
            f"<{tag}>{escape(value)}</{tag}>"
            for tag, value in (("Code", error), ("Message", message))
        )
        body = f"<ErrorResponse><Error>{code}{text}</Error></ErrorResponse>".encode()
    else:
        body = json.dumps({"__type": error} | ({"message": message} if message else {})).encode()
    headers = [
        (b"content-type", b"text/xml" if is_xml else b"application/x-amz-json-1.1"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-errortype", error.encode()),
    ]
    status = fault.get("status", 400)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
