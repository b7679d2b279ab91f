"""Check requests against the constraints of AWS's own model of the service, which botocore has."""

import base64
import binascii
import functools
import re
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

from local.rekognition.errors import RekognitionError, invalid_parameter, too_large

Parameters = dict[str, Any]

_TYPES: dict[str, Any] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "blob": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "timestamp": (int, float),
}
_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # Unicode's category Z
_NUMBERS = {"integer", "long", "float", "double"}


@functools.cache
def model() -> ServiceModel:
    """AWS's model; read when first needed, because it is large."""
    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def checked(operation: str, parameters: Any) -> Parameters:
    """The parameters, with pictures as bytes, if they keep to the model's constraints."""
    shape = model().operation_model(operation).input_shape
    checked_parameters: Parameters = _check(shape, parameters, "")
    return checked_parameters


def _check(shape: Any, value: Any, path: str) -> Any:
    number = shape.type_name in _NUMBERS
    if not isinstance(value, _TYPES[shape.type_name]) or (number and isinstance(value, bool)):
        raise RekognitionError("SerializationException", f"{path or 'Request'} has a wrong type")
    if shape.type_name == "structure":
        return _check_structure(shape, value, path)
    if shape.type_name == "blob":
        return _check_blob(shape, value, path)
    _check_size(shape, value, path)
    if shape.type_name == "list":
        return [_check(shape.member, one, f"{path}.{n}.member") for n, one in enumerate(value, 1)]
    if shape.type_name == "map":
        return {
            _check(shape.key, key, path): _check(shape.value, one, f"{path}.{key}.member")
            for key, one in value.items()
        }
    if shape.type_name == "string":
        _check_text(shape, value, path)
    return value


def _check_structure(shape: Any, value: Parameters, path: str) -> Parameters:
    for name in shape.required_members:
        if value.get(name) is None:
            raise _violation("null", _below(path, name), "Member must not be null")
    return {
        name: _check(shape.members[name], one, _below(path, name))
        for name, one in value.items()
        if name in shape.members and one is not None
    }


def _check_blob(shape: Shape, value: str, path: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RekognitionError("SerializationException", f"{path} is not Base64") from error
    if len(data) > shape.metadata.get("max", len(data)):
        raise too_large()
    if len(data) < shape.metadata.get("min", 0):
        raise _violation("", path, "Member must have length greater than or equal to 1")
    return data


def _check_size(shape: Shape, value: Any, path: str) -> None:
    number = shape.type_name in _NUMBERS
    size = value if number else len(value) if hasattr(value, "__len__") else 0
    word = "value" if number else "length"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        raise _violation(value, path, f"Member must have {word} greater than or equal to {low}")
    if high is not None and size > high:
        raise _violation(value, path, f"Member must have {word} less than or equal to {high}")


def _check_text(shape: Any, value: str, path: str) -> None:
    pattern = shape.metadata.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        raise _violation(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    if shape.enum and value not in shape.enum:
        members = ", ".join(shape.enum)
        raise _violation(value, path, f"Member must satisfy enum value set: [{members}]")


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, which is Java's: letters and numbers, separators, in our words."""
    spelled = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", "")
    return re.compile(spelled.replace(r"\p{Z}", _SEPARATORS))


def _violation(value: Any, path: str, constraint: str) -> RekognitionError:
    shown = str(value)[:64]
    return invalid_parameter(
        f"1 validation error detected: Value '{shown}' at '{path}' failed to satisfy constraint: "
        f"{constraint}"
    )


def _below(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name
