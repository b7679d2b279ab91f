"""IAM policy variables: `${credentials-iot:ThingName}` and the like in resources and conditions.

IAM User Guide, "Policy variables": a variable is a key of the request's context; where the
request has none, the statement matches nothing. Only in identity policies, their limits and
role sessions; the escapes `${*}`, `${?}` and `${$}` are not modelled.
"""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

from local.ministack import names

VARIABLE = re.compile(r"\$\{([^}]*)\}")
DEFAULTED = re.compile(r"([^,']+?)\s*,\s*'([^']*)'")
# No ARN and no value contains it, so that such a statement matches nothing.
NOTHING = "\0"


def install() -> None:
    """Patch MiniStack's evaluator, which takes a variable for plain text."""
    names.EVALUATE.replace(_filling_in(names.EVALUATE.get()))
    names.PRINCIPAL_KEYS.replace(_with_context_of_session(names.PRINCIPAL_KEYS.get()))


def _filling_in(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(evaluate)
    def decide(ctx: Any, policies: Any, *limits: Any) -> Any:
        layers = [
            [[filled(statement, ctx) for statement in statements] for statements in layer]
            for layer in (policies, *limits)
        ]
        return evaluate(ctx, *layers)

    return decide


def filled(statement: Any, ctx: Any) -> Any:
    """Return the statement with each variable replaced by its value in this request."""
    if "${" not in f"{statement.resources}{statement.not_resources}{statement.conditions}":
        return statement
    return dataclasses.replace(
        statement,
        resources=[_text(resource, ctx) for resource in statement.resources],
        not_resources=[_text(resource, ctx) for resource in statement.not_resources],
        conditions=_texts(statement.conditions, ctx),
    )


def _texts(value: Any, ctx: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(inner, ctx) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner, ctx) for inner in value]
    return _text(value, ctx) if isinstance(value, str) else value


def _text(text: str, ctx: Any) -> str:
    return VARIABLE.sub(lambda found: _value(found[1].strip(), ctx), text)


def _value(variable: str, ctx: Any) -> str:
    defaulted = DEFAULTED.fullmatch(variable)
    key, default = (defaulted[1], defaulted[2]) if defaulted else (variable, NOTHING)
    found = names.CONDITION_KEY.get()(key, ctx)
    # A key of many values cannot be a variable.
    return found if isinstance(found, str) else default


def _with_context_of_session(keys_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add the condition keys that a service put into a session."""

    @functools.wraps(keys_of)
    def keys(credential: Any) -> Any:
        session = names.SESSIONS.get().get(credential.access_key_id) or {}
        return {**keys_of(credential), **session.get("ContextKeys", {})}

    return keys
