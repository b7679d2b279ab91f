"""The operators of Lambda's filter patterns, each a predicate of one value.

The list is that of https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
(filter rule syntax).
"""

from collections.abc import Callable

type Predicate = Callable[[object], bool]


class FilterError(ValueError):
    """A pattern that Lambda refuses."""


def to_predicate(item: object) -> Predicate:
    """Return the predicate of one item of a pattern's list, or raise FilterError."""
    if isinstance(item, list):
        raise FilterError("a list of values has a list in it")
    if not isinstance(item, dict):
        return lambda value: _same(value, item)
    if len(item) != 1:
        raise FilterError("a rule must have exactly one operator")
    operator, operand = next(iter(item.items()))
    if operator not in _OPERATORS:
        raise FilterError(f"the operator {operator} is not supported")
    return _OPERATORS[operator](operand)


def _same(left: object, right: object) -> bool:
    # Python's True equals 1, JSON's true does not.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def _exists(operand: object) -> Predicate:
    if operand is not True:
        raise FilterError("exists must be true or false")
    return lambda value: True


def _prefix(operand: object) -> Predicate:
    text = _text("prefix", operand)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(operand: object) -> Predicate:
    text = _text("suffix", operand)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _ignore_case(operand: object) -> Predicate:
    text = _text("equals-ignore-case", operand).lower()
    return lambda value: isinstance(value, str) and value.lower() == text


def _anything_but(operand: object) -> Predicate:
    banned = operand if isinstance(operand, list) else [operand]
    if not banned or not all(isinstance(item, str | int | float) for item in banned):
        raise FilterError("anything-but must have a value or a list of values")
    return lambda value: not any(_same(value, item) for item in banned)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(operand: object) -> Predicate:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise FilterError("numeric must be one or two pairs of comparison and number")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    if not all(sign in _COMPARISONS and _is_number(bound) for sign, bound in pairs):
        raise FilterError("numeric must be one or two pairs of comparison and number")
    return lambda value: (
        _is_number(value)
        and all(
            _COMPARISONS[sign](value, bound)  # type: ignore[arg-type]
            for sign, bound in pairs
        )
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(operator: str, operand: object) -> str:
    if not isinstance(operand, str):
        raise FilterError(f"{operator} must be a string")
    return operand


_OPERATORS: dict[str, Callable[[object], Predicate]] = {
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
}
