"""The filter patterns of Lambda's event filtering.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html lists the operators;
every other one is refused, as CreateEventSourceMapping refuses it. Arrays match as on EventBridge's
page eb-event-patterns-arrays: one element is enough; conditions on several fields of an array of
objects must hold for the same element. `exists` sees leaves only, so an empty list does not exist.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from local.event_source_mapping.operators import FilterError, Predicate, to_predicate

__all__ = ["FilterError", "Path", "Pattern", "compile_pattern"]

type Path = tuple[str, ...]
# By array, the index of the element that a leaf lies in.
type ArrayPosition = dict[int, int]


@dataclass(frozen=True, slots=True)
class Condition:
    """The rule for one field: any of the predicates holds, or the field may be absent."""

    path: Path
    predicates: tuple[Predicate, ...]
    absent: bool


type Alternative = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: it matches when every condition of one alternative holds."""

    alternatives: tuple[Alternative, ...]
    prefixes: frozenset[Path]

    def matches(self, event: Mapping[str, Any], *, known: Callable[[Path], bool]) -> bool:
        """Return whether an event matches; an alternative that needs an unknown path does not."""
        leaves: dict[Path, list[tuple[object, ArrayPosition]]] = defaultdict(list)
        for path, value, position in _leaves(event, (), {}, count(), self.prefixes):
            leaves[path].append((value, position))
        return any(
            _holds(alternative, leaves, {})
            for alternative in self.alternatives
            if all(known(condition.path) for condition in alternative)
        )


def compile_pattern(text: str) -> Pattern:
    """Compile the text of one Pattern, or raise FilterError."""
    try:
        pattern = json.loads(text)
        alternatives = tuple(_alternatives(pattern, ()))
    except FilterError:
        raise
    except (TypeError, ValueError) as error:
        raise FilterError("the pattern is not JSON") from error
    except RecursionError as error:
        raise FilterError("the pattern is nested too deep") from error
    paths = {condition.path for alternative in alternatives for condition in alternative}
    prefixes = {path[:length] for path in paths for length in range(1, len(path) + 1)}
    return Pattern(alternatives, frozenset(prefixes))


def _alternatives(node: object, path: Path) -> list[Alternative]:
    if not isinstance(node, dict) or not node:
        raise FilterError(f"{'.'.join(path) or 'a pattern'} must be an object that is not empty")
    result: list[Alternative] = [()]
    for key, value in node.items():
        choices = _choices(key, value, path)
        result = [left + right for left in result for right in choices]
    return result


def _choices(key: str, value: object, path: Path) -> list[Alternative]:
    if key == "$or":
        if not isinstance(value, list) or len(value) < 2:
            raise FilterError("$or must be a list of at least two objects")
        return [found for option in value for found in _alternatives(option, path)]
    if isinstance(value, list):
        return [(_condition(value, (*path, key)),)]
    return _alternatives(value, (*path, key))


def _condition(items: list[object], path: Path) -> Condition:
    if not items:
        raise FilterError(f"{'.'.join(path)} is an empty list")
    predicates = tuple(to_predicate(item) for item in items if item != {"exists": False})
    return Condition(path, predicates, {"exists": False} in items)


def _leaves(
    node: object,
    path: Path,
    position: ArrayPosition,
    arrays: Iterator[int],
    prefixes: frozenset[Path],
) -> Iterator[tuple[Path, object, ArrayPosition]]:
    """Yield the leaves below the given path prefixes; no pattern reads the rest of a record."""
    if isinstance(node, dict):
        for key, value in node.items():
            if (*path, key) in prefixes:
                yield from _leaves(value, (*path, key), position, arrays, prefixes)
    elif isinstance(node, list):
        array = next(arrays)
        for index, value in enumerate(node):
            yield from _leaves(value, path, {**position, array: index}, arrays, prefixes)
    else:
        yield path, node, position


def _holds(
    conditions: Sequence[Condition],
    leaves: Mapping[Path, list[tuple[object, ArrayPosition]]],
    chosen: ArrayPosition,
) -> bool:
    if not conditions:
        return True
    condition, rest = conditions[0], conditions[1:]
    found = leaves.get(condition.path, [])
    if condition.absent and not found:
        return _holds(rest, leaves, chosen)
    return any(
        _holds(rest, leaves, chosen | position)
        for value, position in found
        if all(chosen.get(array, index) == index for array, index in position.items())
        and any(predicate(value) for predicate in condition.predicates)
    )
