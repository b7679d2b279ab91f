"""Check requests against AWS's own models, which botocore ships."""

import base64
import binascii
import functools
import re
from enum import Enum, auto
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

_NUMBER: tuple[type, ...] = (int, float)
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "integer": (int,),
    "long": (int,),
    "float": _NUMBER,
    "double": _NUMBER,
    "boolean": (bool,),
    "timestamp": (*_NUMBER, str),
}
_BITS = {"integer": 31, "long": 63}
_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # Unicode's category Z

type Path = tuple[str | int, ...]


class Rule(Enum):
    """The kinds of constraints of a shape."""

    TYPE = auto()
    BASE64 = auto()
    MISSING = auto()
    MIN = auto()
    MAX = auto()
    PATTERN = auto()
    ENUM = auto()


class ConstraintError(Exception):
    """A broken constraint: its path (member names, item numbers from 1) and the limit."""

    def __init__(self, rule: Rule, shape: Any, path: Path, value: Any, limit: Any = None) -> None:
        """Make the error of a value that breaks a rule of its shape."""
        super().__init__(f"{rule.name} at {path}")
        self.rule, self.shape, self.path = rule, shape, path
        self.value, self.limit = value, limit


@functools.cache
def model(service: str) -> ServiceModel:
    """Return AWS's model of a service, loaded when first needed because it is large."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def read(shape: Any, value: Any, path: Path = ()) -> Any:
    """Return a JSON value as its shape reads it; raise ConstraintError for the first broken rule.

    Null is as good as not given, unknown members are left out, blobs become bytes.
    """
    if not _has_type(shape.type_name, value):
        raise ConstraintError(Rule.TYPE, shape, path, value)
    if shape.type_name == "structure":
        return _structure(shape, value, path)
    if shape.type_name == "blob":
        value = _blob(shape, value, path)
    _check_bounds(shape, value, path)
    if shape.type_name == "list":
        return [read(shape.member, one, (*path, n)) for n, one in enumerate(value, 1)]
    if shape.type_name == "map":
        return {
            read(shape.key, key, path): read(shape.value, one, (*path, key))
            for key, one in value.items()
        }
    return value


def is_number(shape: Any) -> bool:
    """Return whether a shape's bounds limit its value, not its length."""
    return bool(set(_TYPES[shape.type_name]) & set(_NUMBER))


def _has_type(type_name: str, value: Any) -> bool:
    expected = _TYPES[type_name]
    if isinstance(value, bool):  # which Python takes for an integer
        return bool in expected
    if isinstance(value, str) and not _is_text(value):
        return False
    if type_name in _BITS and isinstance(value, int) and value.bit_length() > _BITS[type_name]:
        return False
    return isinstance(value, expected)


def _is_text(value: str) -> bool:
    """Return whether a string is valid Unicode: JSON allows lone surrogates, UTF-8 does not."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _structure(shape: Any, value: dict[str, Any], path: Path) -> dict[str, Any]:
    for name in shape.required_members:
        if value.get(name) is None:
            raise ConstraintError(Rule.MISSING, shape, (*path, name), None)
    return {
        name: read(shape.members[name], one, (*path, name))
        for name, one in value.items()
        if name in shape.members and one is not None
    }


def _blob(shape: Any, value: str, path: Path) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConstraintError(Rule.BASE64, shape, path, None) from error


def _check_bounds(shape: Any, value: Any, path: Path) -> None:
    limits = shape.metadata
    size = len(value) if hasattr(value, "__len__") else value
    if size < limits.get("min", size):
        raise ConstraintError(Rule.MIN, shape, path, value, limits["min"])
    if size > limits.get("max", size):
        raise ConstraintError(Rule.MAX, shape, path, value, limits["max"])
    pattern = limits.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        raise ConstraintError(Rule.PATTERN, shape, path, value, pattern)
    if (names := limits.get("enum")) and value not in names:
        raise ConstraintError(Rule.ENUM, shape, path, value, names)


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the model: Java's character classes, translated to Python's."""
    spelled = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", "")
    return re.compile(spelled.replace(r"\p{Z}", _SEPARATORS))
