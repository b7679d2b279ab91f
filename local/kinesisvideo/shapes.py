"""AWS's own service models, as botocore ships them, and what breaks their rules."""

import functools
import re
from collections.abc import Iterator
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

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
_BITS = {"integer": 31, "long": 63}


@functools.cache
def _models() -> dict[str, Any]:
    """Every operation of the three services, by its name."""
    loader = Loader()
    services = [
        ServiceModel(loader.load_service_model(name, "service-2"), name) for name in _SERVICES
    ]
    return {
        operation: service.operation_model(operation)
        for service in services
        for operation in service.operation_names
    }


@functools.cache
def _paths() -> dict[str, str]:
    return {model.http["requestUri"]: name for name, model in _models().items()}


def operation_at(path: str) -> str | None:
    """The operation that AWS serves at a path."""
    return _paths().get(path)


def complaints_about(operation: str, parameters: Any) -> Iterator[str]:
    """What is wrong with an operation's parameters by its model."""
    return _complaints(_models()[operation].input_shape, parameters, operation)


def _complaints(shape: Any, value: Any, where: str) -> Iterator[str]:
    """What is wrong with a value by its shape: type, length, range, pattern, names."""
    if not _has_type(shape.type_name, value):
        yield f"{where} is no {shape.type_name}"
        return
    yield from _breached(shape, value, where)
    for member, item, name in _inner(shape, value, where):
        if item is not None:
            yield from _complaints(member, item, name)
        elif shape.type_name != "structure" or name in shape.required_members:
            yield f"{where} lacks {name}"


def _has_type(type_name: str, value: Any) -> bool:
    expected = _TYPES.get(type_name, (object,))
    if isinstance(value, bool):  # which Python takes for an integer
        return bool in expected
    if isinstance(value, str) and not _is_text(value):
        return False
    if type_name in _BITS and isinstance(value, int) and value.bit_length() > _BITS[type_name]:
        return False
    return isinstance(value, expected)


def _is_text(value: str) -> bool:
    """JSON can spell half a surrogate pair, which no answer could repeat in UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


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
