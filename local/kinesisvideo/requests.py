"""Requests checked against AWS's own service models, as botocore ships them."""

import base64
import binascii
import functools
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from local.kinesisvideo.errors import KinesisVideoError, invalid_argument

Parameters = Mapping[str, Any]

_SERVICES = ("kinesisvideo", "kinesis-video-media", "kinesis-video-archived-media")
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (int, float, str),
}


def read(operation: str, body: bytes) -> dict[str, Any]:
    """The parameters in a request's body, checked against the operation's model."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        message = "The request body is not JSON"
        raise KinesisVideoError("SerializationException", message) from error
    shape = _input_shape(operation)
    for complaint in _complaints(shape, parameters, operation):
        raise invalid_argument(complaint)
    known: dict[str, Any] = {name: value for name, value in parameters.items() if value is not None}
    return known


@functools.cache
def _models() -> dict[str, Any]:
    """The input shape of every operation of the three services."""
    loader = Loader()
    services = [
        ServiceModel(loader.load_service_model(name, "service-2"), name) for name in _SERVICES
    ]
    return {
        operation: service.operation_model(operation).input_shape
        for service in services
        for operation in service.operation_names
    }


def is_operation(name: str) -> bool:
    """Whether AWS knows an operation of this name."""
    return name in _models()


def _input_shape(operation: str) -> Any:
    return _models()[operation]


def _complaints(shape: Any, value: Any, where: str) -> Iterator[str]:
    """What is wrong with a value by its shape: type, length, range, pattern, names."""
    if not _has_type(shape.type_name, value):
        yield f"{where} is no {shape.type_name}"
        return
    yield from _breached(shape, value, where)
    for member, item, name in _inner(shape, value, where):
        if item is not None:
            yield from _complaints(member, item, name)
        elif name in getattr(shape, "required_members", ()):
            yield f"{where} lacks {name}"


def _has_type(type_name: str, value: Any) -> bool:
    expected = _TYPES.get(type_name, (object,))
    if isinstance(value, bool):  # which Python takes for an integer
        return bool in expected
    return isinstance(value, expected)


def _inner(shape: Any, value: Any, where: str) -> Iterator[tuple[Any, Any, str]]:
    """The shape, the value and the name of everything inside a value."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield member, value.get(name), name
    elif shape.type_name == "list":
        for item in value:
            yield shape.member, item, where
    elif shape.type_name == "map":
        for key, item in value.items():
            yield shape.key, key, where
            yield shape.value, item, where


def _breached(shape: Any, value: Any, where: str) -> Iterator[str]:
    limits = shape.metadata
    size = value if isinstance(value, int | float) else len(value)
    if size < limits.get("min", size):
        yield f"{where} is less than {limits['min']}"
    if size > limits.get("max", size):
        yield f"{where} is more than {limits['max']}"
    if (names := limits.get("enum")) and value not in names:
        yield f"{where} must be one of {', '.join(names)}"
    # The models carry patterns only in their raw form.
    pattern = shape._shape_model.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        yield f"{where} does not match {pattern}"


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    if r"\p{" in pattern:  # Unicode categories, which Python does not know: tags
        return re.compile(r"[\w\s.:/=+\-@]*")
    return re.compile(pattern)


def milliseconds(timestamp: float | str) -> int:
    """A request's timestamp (seconds or ISO 8601) as milliseconds since the epoch."""
    try:
        if isinstance(timestamp, str):
            return round(datetime.fromisoformat(timestamp).timestamp() * 1000)
        return round(timestamp * 1000)
    except (ValueError, OverflowError) as error:
        raise invalid_argument(f"{timestamp} is no timestamp") from error


def seal(position: Mapping[str, Any]) -> str:
    """A NextToken that carries where the next page starts."""
    return base64.b64encode(json.dumps(position).encode()).decode()


def unseal(token: str) -> dict[str, Any]:
    """What a NextToken carries."""
    try:
        position = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("NextToken is not valid") from error
    if not isinstance(position, dict):
        raise invalid_argument("NextToken is not valid")
    return position


def stream_of(parameters: Parameters) -> tuple[str | None, str | None]:
    """The name and the ARN that say which stream is meant; one of them must."""
    name, arn = parameters.get("StreamName"), parameters.get("StreamARN")
    if not name and not arn:
        raise invalid_argument("Either StreamName or StreamARN must be given")
    return name, arn


def jpeg_quality(parameters: Parameters) -> int:
    """FormatConfig's JPEGQuality, 80 when it is not given."""
    quality = parameters.get("FormatConfig", {}).get("JPEGQuality", "80")
    if not quality.isdecimal() or not 1 <= int(quality) <= 100:
        raise invalid_argument("JPEGQuality must be from 1 to 100")
    return int(quality)
