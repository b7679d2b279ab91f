"""Replace the emulator's polling of data streams by the event source mappings."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Set
from typing import Any

from local import ministack
from local.event_source_mapping import streams
from local.event_source_mapping.emulator import EmulatorBackend
from local.event_source_mapping.engine import EventSourceMappings
from local.event_source_mapping.mapping import parse_mapping

TYPE = "AWS::Lambda::EventSourceMapping"
# AWS's defaults of a Kinesis mapping; the emulator has other values, or none.
DEFAULTS: Mapping[str, Any] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
# Settings that the emulator does not store.
NOT_STORED = ("StartingPositionTimestamp", "TumblingWindowInSeconds")
# Settings that an updated template may omit.
OPTIONAL = frozenset({"FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds"})
# Time for running invocations; unfinished batches are redelivered.
STOP_SECONDS = 1.0

type Settings = Mapping[str, Any]


@contextlib.asynccontextmanager
async def event_source_mappings() -> AsyncIterator[None]:
    """Serve the event source mappings until the block ends."""
    engine = EventSourceMappings(EmulatorBackend())
    ministack.POLL_KINESIS.replace(lambda: False)
    ministack.STREAM_WAKE.replace(_WakeEvent(ministack.STREAM_WAKE.get(), engine.wake))
    streams.keep_closed_shards(engine.refresh)
    _patch_api(engine.refresh)
    _patch_cloudformation(engine.refresh)
    engine.start()
    try:
        yield
    finally:
        # Not in the event loop, which functions that are running still need.
        await asyncio.to_thread(engine.stop, STOP_SECONDS)


class _WakeEvent:
    """The event that Kinesis sets after each put, which also wakes our workers."""

    def __init__(self, event: threading.Event, wake: Callable[[], None]) -> None:
        self._event, self._wake = event, wake

    def set(self) -> None:
        """Set the emulator's event and wake our workers."""
        self._event.set()
        self._wake()


def _patch_api(changed: Callable[[], None]) -> None:
    create, update = ministack.CREATE_MAPPING.get(), ministack.UPDATE_MAPPING.get()

    @functools.wraps(create)
    def created(data: Settings) -> Any:
        if not _reads_stream(data):
            return create(data)
        before = _uuids()
        answer = _refusal(data, of_new=True) or create({**DEFAULTS, **data})
        for uuid in _uuids() - before:
            _store_settings(uuid, data)
        changed()
        return answer

    @functools.wraps(update)
    def updated(esm_id: str, data: Settings) -> Any:
        answer = (esm_id in _uuids() and _refusal(data)) or update(esm_id, data)
        changed()
        return answer

    ministack.CREATE_MAPPING.replace(created)
    ministack.UPDATE_MAPPING.replace(updated)
    ministack.DELETE_MAPPING.replace(_notify_after(ministack.DELETE_MAPPING.get(), changed))


def _patch_cloudformation(changed: Callable[[], None]) -> None:
    handlers = ministack.CFN_HANDLERS.get()[TYPE]
    create, update = handlers["create"], handlers["update"]

    def created(logical_id: str, props: Settings, stack_name: str) -> Any:
        if not _reads_stream(props):
            return create(logical_id, props, stack_name)
        _refuse(props, of_new=True)
        answer = create(logical_id, {**DEFAULTS, **props}, stack_name)
        _store_settings(answer[0], props)
        changed()
        return answer

    def updated(physical_id: str, old: Settings, new: Settings, stack_name: str) -> Any:
        if not _reads_stream(new):
            return update(physical_id, old, new, stack_name)
        _refuse(new)
        answer = update(physical_id, old, {**DEFAULTS, **new}, stack_name)
        _drop_settings(answer[0], old.keys() - new.keys())
        _store_settings(answer[0], new)
        changed()
        return answer

    handlers.update(
        create=created, update=updated, delete=_notify_after(handlers["delete"], changed)
    )


def _notify_after(operation: Callable[..., Any], changed: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def done(*arguments: Any) -> Any:
        answer = operation(*arguments)
        changed()
        return answer

    return done


def _uuids() -> set[str]:
    return {mapping["UUID"] for mapping in ministack.kinesis_mappings()}


def _reads_stream(given: Settings) -> bool:
    return ":kinesis:" in given.get("EventSourceArn", "")


def _store_settings(uuid: str, given: Settings) -> None:
    for mapping in _stored(uuid):
        mapping.update({name: given[name] for name in NOT_STORED if name in given})
        enabled = str(mapping.get("Enabled", True)).lower() != "false"
        mapping["Enabled"], mapping["State"] = enabled, "Enabled" if enabled else "Disabled"


def _drop_settings(uuid: str, names: Set[str]) -> None:
    """Delete settings that the template no longer has; the emulator would keep them."""
    for mapping in _stored(uuid):
        for name in names & OPTIONAL:
            mapping.pop(name, None)


def _stored(uuid: str) -> list[dict[str, Any]]:
    return [mapping for mapping in ministack.kinesis_mappings() if mapping["UUID"] == uuid]


def _problem(given: Settings) -> str | None:
    """Return the reason why CreateEventSourceMapping refuses these settings, or None."""
    fields = {"UUID": "", "EventSourceArn": "", "FunctionArn": ""}
    return parse_mapping({**fields, **given}).problem


def _missing_stream(stream_arn: str) -> str | None:
    """Return why a new mapping of a stream that is not there yet is refused, or None.

    In the words of LocalStack's test_esm_with_not_existing_kinesis_stream, validated on AWS, and of
    serverless issue 2514.
    """
    if streams.stream_of(stream_arn):
        return None
    if streams.is_known(stream_arn):
        return f"Stream {stream_arn} does not appear to be active."
    return f"Stream not found: {stream_arn}"


def _refusal(given: Settings, *, of_new: bool = False) -> Any:
    problem = _problem(given) or (of_new and _missing_stream(given["EventSourceArn"]))
    return ministack.INVALID_PARAMETER.get()(problem) if problem else None


def _refuse(given: Settings, *, of_new: bool = False) -> None:
    if problem := _problem(given) or (of_new and _missing_stream(given["EventSourceArn"])):
        raise ValueError(problem)
