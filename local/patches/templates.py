"""CloudFormation: properties that MiniStack drops, and state machines written in YAML."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from local import ministack
from local.ministack import names
from local.patches.step_functions.branches import scope_fault


def install() -> None:
    """Patch MiniStack's CloudFormation."""
    names.MACHINE_DEFINITION.replace(_as_json(names.MACHINE_DEFINITION.get()))
    _after_each("AWS::DynamoDB::Table", _table_settings)
    _after_each("AWS::Kinesis::Stream", _stream_settings)
    _after_each("AWS::SNS::Topic", _topic_settings)
    _after_delete("AWS::Lambda::Function", _end_workers)


def _as_json(
    definition_of: Callable[[Mapping[str, Any]], str],
) -> Callable[[Mapping[str, Any]], str]:
    """Convert a YAML definition to JSON, the only form that MiniStack reads."""

    @functools.wraps(definition_of)
    def definition(props: Mapping[str, Any]) -> str:
        text = definition_of(props)
        parsed = yaml.safe_load(text)
        if not isinstance(parsed, dict) or parsed.get("StartAt") not in parsed.get("States", {}):
            raise ValueError("Invalid State Machine Definition: StartAt names no state")
        checked = json.dumps(parsed)
        if fault := scope_fault(checked):
            raise ValueError(f"Invalid State Machine Definition: {fault}")
        return checked

    return definition


def _after_each(kind: str, apply: Callable[[str, Mapping[str, Any]], None]) -> None:
    """Call `apply` with the properties after a type's own create and update."""
    handlers = names.CFN_HANDLERS.get()[kind]
    handlers["create"] = _then(handlers["create"], apply, of=1)
    if "update" in handlers:
        handlers["update"] = _then(handlers["update"], apply, of=2)


def _then(
    handler: Callable[..., Any], apply: Callable[[str, Mapping[str, Any]], None], of: int
) -> Callable[..., Any]:
    """Return a handler that then calls `apply` with the resource and argument number `of`."""

    @functools.wraps(handler)
    def handling(*given: Any, **named: Any) -> Any:
        made = handler(*given, **named)
        apply(made[0], given[of])
        return made

    return handling


def _after_delete(kind: str, apply: Callable[[str], None]) -> None:
    handlers = names.CFN_HANDLERS.get()[kind]
    delete = handlers["delete"]

    @functools.wraps(delete)
    def deleting(physical_id: str, props: Any, *rest: Any, **named: Any) -> Any:
        delete(physical_id, props, *rest, **named)
        apply(physical_id)

    handlers["delete"] = deleting


def _table_settings(table: str, props: Mapping[str, Any]) -> None:
    if given := props.get("TimeToLiveSpecification"):
        asked = {"TableName": table, "TimeToLiveSpecification": given}
        ministack.request_as_account("dynamodb", "UpdateTimeToLive", asked)
    if given := props.get("SSESpecification"):
        asked = {"TableName": table, "SSESpecification": {"Enabled": given["SSEEnabled"]}}
        ministack.request_as_account("dynamodb", "UpdateTable", asked)
    if given := props.get("PointInTimeRecoverySpecification"):
        asked = {"TableName": table, "PointInTimeRecoverySpecification": given}
        ministack.request_as_account("dynamodb", "UpdateContinuousBackups", asked)


def _stream_settings(stream: str, props: Mapping[str, Any]) -> None:
    if given := props.get("StreamEncryption"):
        ministack.request_as_account(
            "kinesis", "StartStreamEncryption", {"StreamName": stream, **given}
        )


def _topic_settings(topic: str, props: Mapping[str, Any]) -> None:
    if key := props.get("KmsMasterKeyId"):
        asked = {"TopicArn": topic, "AttributeName": "KmsMasterKeyId", "AttributeValue": key}
        ministack.request_as_account("sns", "SetTopicAttributes", asked)


def _end_workers(function: str) -> None:
    names.SPARE_WORKERS.get()(function)
