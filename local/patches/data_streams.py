"""Kinesis: a new stream is CREATING for KINESIS_CREATING_SECONDS, and templates wait for it.

CreateStream returns before the stream is ACTIVE (its API page). CloudFormation waits for a stream
before it makes what depends on it: here that wait takes no time. All else it makes at the same
time, MiniStack one by one: so a template's stream is CREATING for two seconds at least.
"""

import contextvars
import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from local.ministack import names

SETTING = "KINESIS_CREATING_SECONDS"
TEMPLATE_SECONDS = 2.0
KIND = "AWS::Kinesis::Stream"
ACTIVE_AT = "active_at"  # stored beside the emulator's own keys

# The resources of the template that is being deployed.
_resources: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("resources")


def install() -> None:
    """Patch how MiniStack makes data streams, which are ACTIVE at once."""
    seconds = float(os.environ.get(SETTING, "0"))
    if seconds:
        names.CREATE_STREAM.replace(_creating(names.CREATE_STREAM.get(), seconds))
    names.ENSURE_ACTIVE.replace(_activate_when_due)
    handlers = names.CFN_HANDLERS.get()[KIND]
    handlers["create"] = _creating_by_template(handlers["create"], max(seconds, TEMPLATE_SECONDS))
    names.IN_ORDER.replace(_remembering(names.IN_ORDER.get()))
    names.PROVISION.replace(_after_dependencies(names.PROVISION.get()))


def _begin(name: str, seconds: float) -> None:
    stream = names.STREAMS.get()[name]
    stream["StreamStatus"], stream[ACTIVE_AT] = "CREATING", time.time() + seconds


def _activate_when_due(stream: dict[str, Any]) -> None:
    if stream["StreamStatus"] == "CREATING" and time.time() >= stream.get(ACTIVE_AT, 0):
        stream["StreamStatus"] = "ACTIVE"


def _creating(create: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @functools.wraps(create)
    def create_stream(data: Mapping[str, Any]) -> Any:
        answer = create(data)
        if answer[0] < 300:
            _begin(data["StreamName"], seconds)
        return answer

    return create_stream


def _creating_by_template(create: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @functools.wraps(create)
    def made(logical_id: str, props: Any, stack_name: str) -> Any:
        answer = create(logical_id, props, stack_name)
        _begin(answer[0], seconds)
        names.STREAMS.get()[answer[0]]["made_for"] = (stack_name, logical_id)
        return answer

    return made


def _remembering(in_order: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(in_order)
    def topological_sort(resources: Mapping[str, Any], conditions: Any) -> Any:
        _resources.set(resources)
        return in_order(resources, conditions)

    return topological_sort


def _after_dependencies(provision: Callable[..., Any]) -> Callable[..., Any]:
    """Make streams ACTIVE before what depends on them is made."""

    @functools.wraps(provision)
    def provision_resource(kind: str, logical_id: str, props: Any, stack_name: str) -> Any:
        written = _resources.get({})
        needed = names.WITH_DEPENDENCIES.get()([logical_id], written, set(written))
        for stream in list(names.STREAMS.get().values()):
            stack, name = stream.get("made_for", ("", ""))
            if stack == stack_name and name in needed and stream["StreamStatus"] == "CREATING":
                stream["StreamStatus"] = "ACTIVE"
        return provision(kind, logical_id, props, stack_name)

    return provision_resource
