"""AWS::KinesisVideo::Stream for CloudFormation."""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from local.kinesisvideo.api import control
from local.kinesisvideo.store.state import current_service
from local.kinesisvideo.store.streams import Stream

type Properties = Mapping[str, Any]
type Created = tuple[str, dict[str, str]]


def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
    """Create the stream; Ref is its name, GetAtt Arn its ARN."""
    name = properties.get("Name") or f"{stack_name}-{logical_id}-{secrets.token_hex(6)}"
    parameters = {
        "StreamName": name,
        "DataRetentionInHours": int(properties.get("DataRetentionInHours", 0)),
        "MediaType": properties.get("MediaType"),
        "DeviceName": properties.get("DeviceName"),
        "KmsKeyId": properties.get("KmsKeyId"),
        "StreamStorageConfiguration": properties.get("StreamStorageConfiguration"),
        "Tags": _tags(properties) or None,
    }
    control.handle(current_service(), "CreateStream", json.dumps(parameters).encode())
    return _created(current_service().streams.find(name))


def update(name: str, before: Properties, properties: Properties, stack_name: str) -> Created:
    """Update the stream in place; a new name replaces it."""
    if properties.get("Name", name) != name:
        created = create("Stream", properties, stack_name)
        delete(name, before)
        return created
    streams = current_service().streams
    storage = properties.get("StreamStorageConfiguration", {})
    hours = int(properties.get("DataRetentionInHours", 0))
    changed = streams.change_retention(
        streams.find(name),
        lambda _: hours,
        media_type=properties.get("MediaType"),
        device_name=properties.get("DeviceName"),
        storage_tier=storage.get("DefaultStorageTier", "HOT"),
        tags=_tags(properties),
    )
    current_service().store.expire()
    return _created(changed)


def delete(name: str, properties: Properties) -> None:
    """Delete the stream if it still exists."""
    if stream := current_service().streams.get(name):
        current_service().delete(stream)


def _created(stream: Stream) -> Created:
    return stream.name, {"Arn": stream.arn}


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


HANDLERS: dict[str, dict[str, Callable[..., Any]]] = {
    "AWS::KinesisVideo::Stream": {"create": create, "update": update, "delete": delete}
}
