"""Requests made from AWS's models: one that keeps every constraint, and one that breaks each."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from local.tests.support.models.checks import as_json, pattern_of

# One of these matches each pattern of the implemented operations.
SAMPLES = (
    "a",
    "1",
    "0",
    "video/h264",
    "2026-11-22",
    "s3://bucket/a",
    "us-east-1",
    "00000000-0000-0000-0000-000000000000",
    "arn:aws:iam::000000000000:role/a",
    "arn:aws:kinesis:us-east-1:000000000000:stream/a",
    "arn:aws:kinesisvideo:us-east-1:000000000000:stream/a/1",
    "arn:aws:kms:us-east-1:000000000000:key/a",
    "arn:aws:rekognition:us-east-1:000000000000:collection/a",
    "arn:aws:rekognition:us-east-1:000000000000:streamprocessor/a",
    "arn:aws:sns:us-east-1:000000000000:topic",
)
MISFITS = ("\x00", "", "a\nb", " ", "no", "!")
WRONG_TYPES: dict[str, Any] = {
    "structure": [], "list": {}, "map": [], "string": 1, "blob": 1, "integer": "1", "long": "1",
    "float": "1", "double": "1", "boolean": "true", "timestamp": [],
}  # fmt: skip
NUMBERS = ("integer", "long", "float", "double")


class Breach(NamedTuple):
    """A value that breaks one constraint of its shape."""

    where: str
    constraint: str
    value: Any


def sample(shape: Any) -> Any:
    """Return a complete value that keeps every constraint."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    least = max(int(shape.metadata.get("min", 1)), 1)
    if kind == "list":
        return [sample(shape.member)] * least
    if kind == "map":
        return {sample(shape.key): sample(shape.value)}
    if kind == "string":
        return _text(shape, least)
    if kind == "blob":
        return as_json(b"a" * least)
    return True if kind == "boolean" else least


def _text(shape: Any, least: int) -> str:
    if names := shape.metadata.get("enum"):
        return str(names[0])
    pattern, most = pattern_of(shape), shape.metadata.get("max", 10**6)
    fitting = (
        text
        for text in (*SAMPLES, "a" * least)
        if least <= len(text) <= most and (not pattern or re.fullmatch(pattern, text))
    )
    found = next(fitting, None)
    assert found is not None, f"{shape.name} needs a sample that matches {pattern}"
    return found


def breaches(shape: Any, where: str) -> Iterator[Breach]:
    """Each constraint of a shape broken once, all else kept."""
    yield Breach(where, "type", WRONG_TYPES[shape.type_name])
    yield from _own(shape, where)
    yield from _inner(shape, where)


def _own(shape: Any, where: str) -> Iterator[Breach]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and (low > 0 or shape.type_name in NUMBERS):
        yield Breach(where, "min", _sized(shape, low - 1))
    if high is not None:
        yield Breach(where, "max", _sized(shape, high + 1))
    if shape.metadata.get("enum"):
        yield Breach(where, "enum", "NO_SUCH_NAME")
    if pattern := pattern_of(shape):
        misfits = (text for text in MISFITS if not re.fullmatch(pattern, text))
        if (misfit := next(misfits, None)) is not None:
            yield Breach(where, "pattern", misfit)


def _sized(shape: Any, size: Any) -> Any:
    """Return a value of a size; of a list and a map the number of their members."""
    kind = shape.type_name
    if kind in NUMBERS:
        return size
    if kind == "list":
        return [sample(shape.member)] * size
    if kind == "map":
        return {f"{sample(shape.key)}{number}": sample(shape.value) for number in range(size)}
    if kind == "blob":
        return as_json(b"a" * size)
    return (sample(shape) * (size + 1))[:size]


def _inner(shape: Any, where: str) -> Iterator[Breach]:
    """Yield the breaches of members, in a value that keeps every other constraint."""
    inside = {"structure": _of_members, "list": _of_items, "map": _of_entries}
    if of := inside.get(shape.type_name):
        yield from of(shape, where)


def _of_members(shape: Any, where: str) -> Iterator[Breach]:
    whole = sample(shape)
    for name in shape.required_members:
        rest = {key: value for key, value in whole.items() if key != name}
        yield Breach(f"{where}.{name}", "required", rest)
    for name, member in shape.members.items():
        for found in breaches(member, f"{where}.{name}"):
            yield found._replace(value={**whole, name: found.value})


def _of_items(shape: Any, where: str) -> Iterator[Breach]:
    others = sample(shape)[1:]
    for found in breaches(shape.member, f"{where}[]"):
        yield found._replace(value=[*others, found.value])


def _of_entries(shape: Any, where: str) -> Iterator[Breach]:
    for found in _own(shape.key, f"{where}.key"):
        yield found._replace(value={found.value: sample(shape.value)})
    for found in breaches(shape.value, f"{where}.value"):
        yield found._replace(value={sample(shape.key): found.value})
