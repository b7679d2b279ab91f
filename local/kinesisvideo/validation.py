"""Check requests against AWS's models of the three services of Kinesis Video."""

import functools
from typing import Any

from local import shapes
from local.kinesisvideo.errors import KinesisVideoError, invalid_argument
from local.shapes import ConstraintError, Rule

_SERVICES = ("kinesisvideo", "kinesis-video-media", "kinesis-video-archived-media")


@functools.cache
def _models() -> dict[str, Any]:
    """Return every operation of the three services by name."""
    return {
        operation: service.operation_model(operation)
        for service in map(shapes.model, _SERVICES)
        for operation in service.operation_names
    }


@functools.cache
def _paths() -> dict[str, str]:
    return {model.http["requestUri"]: name for name, model in _models().items()}


def operation_at(path: str) -> str | None:
    """Return the operation that AWS serves at a path, or None."""
    return _paths().get(path)


def checked(operation: str, parameters: Any) -> dict[str, Any]:
    """Return the parameters, or raise an error if they break the model's constraints."""
    try:
        read: dict[str, Any] = shapes.read(_models()[operation].input_shape, parameters)
    except ConstraintError as breach:
        raise _refusal(operation, breach) from breach
    return read


def _refusal(operation: str, breach: ConstraintError) -> KinesisVideoError:
    where = ".".join(str(one) for one in breach.path)[:100] or operation
    match breach.rule:
        case Rule.MISSING:
            return invalid_argument(f"{where} is missing")
        case Rule.MIN:
            return invalid_argument(f"{where} is less than {breach.limit}")
        case Rule.MAX:
            return invalid_argument(f"{where} is more than {breach.limit}")
        case Rule.ENUM:
            return invalid_argument(f"{where} must be one of {', '.join(breach.limit)}")
        case Rule.PATTERN:
            return invalid_argument(f"{where} does not match {breach.limit}")
    return invalid_argument(f"{where} is no {breach.shape.type_name}")
