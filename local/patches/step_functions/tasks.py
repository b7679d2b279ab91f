"""Step Functions: a task's limits and rights, and the keys of results."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.ministack import names
from local.patches.step_functions.executions import stop_if_ended
from local.security.iam import AccessDenied
from local.security.task_access import error_name, optimised_request

PUBLISH, SDK_PUBLISH = "arn:aws:states:::sns:publish", "arn:aws:states:::aws-sdk:sns:publish"
LIMITS = ("TimeoutSeconds", "HeartbeatSeconds")


def install() -> None:
    """Patch MiniStack's tasks."""
    names.RUN_TASK.replace(_with_evaluated_limits(names.RUN_TASK.get()))
    names.INVOKE_RESOURCE.replace(_permitted(names.INVOKE_RESOURCE.get()))
    names.INVOKE_CALLBACK.replace(_permitted(names.INVOKE_CALLBACK.get()))
    names.CALL_SYNC.replace(_checked_call(names.CALL_SYNC.get()))
    names.SDK_KEY.replace(sdk_key)


def _with_evaluated_limits(run: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """Evaluate a JSONata TimeoutSeconds (Step Functions guide, "Task workflow state")."""

    @functools.wraps(run)
    def execute(
        state_def: dict[str, Any], raw_input: Any, execution: Any, ctx: dict[str, Any]
    ) -> tuple[Any, Any]:
        def evaluate() -> dict[str, Any]:
            return {
                **state_def,
                **{
                    name: _limit(state_def, name, raw_input, ctx)
                    for name in LIMITS
                    if name in state_def
                },
            }

        try:
            evaluated = evaluate()
        except names.TASK_ERROR.get():
            # Once more inside the state's own Retry and Catch, which may name this error.
            result: tuple[Any, Any] = names.CATCHING.get()(
                state_def, raw_input, ctx, lambda: run(evaluate(), raw_input, execution, ctx)
            )
            return result
        return run(evaluated, raw_input, execution, ctx)

    return execute


def _limit(state_def: Mapping[str, Any], name: str, raw_input: Any, ctx: dict[str, Any]) -> int:
    given = state_def[name]
    seconds = names.JSONATA_TEMPLATE.get()(given, raw_input, ctx)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or seconds != int(seconds)
        or seconds < 1
    ):
        cause = f"The expression of the field '{name}' gives no positive integer: {given}"
        raise names.TASK_ERROR.get()("States.QueryEvaluationError", cause)
    return int(seconds)


def _permitted(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Authorize a call first, and name a denial as a Catch expects it."""

    @functools.wraps(invoke)
    def invoke_resource(resource: str, input_data: Any, *rest: Any) -> Any:
        stop_if_ended()
        # MiniStack's query form of an aws-sdk task loses nested parameters.
        called = resource.replace(SDK_PUBLISH, PUBLISH)
        try:
            _check_optimised(called, input_data)
            given = publish_parameters(input_data) if called.startswith(PUBLISH) else input_data
            return invoke(called, given, *rest)
        except AccessDenied as denied:
            raise names.TASK_ERROR.get()(error_name(resource), denied.message) from denied

    return invoke_resource


def _check_optimised(resource: str, input_data: Any) -> None:
    """Authorize an optimised integration, which sends no request that could be checked."""
    principal = ministack.acting()
    request = optimised_request(
        resource, input_data, region=ministack.REGION, account=ministack.ACCOUNT
    )
    if principal is not None and request is not None:
        ministack.authorize(principal, request.action, request.resource)


def _checked_call(call: Callable[..., Any]) -> Callable[..., Any]:
    """Authorize an aws-sdk task's request as if the role had sent it over HTTP."""

    @functools.wraps(call)
    def call_service(
        handler: Any,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        query_params: dict[str, Any],
        timeout: float | None = None,
    ) -> Any:
        if (principal := ministack.acting()) is not None:
            content = body.encode() if isinstance(body, str) else body
            ministack.authorize_request(
                principal, method, path, headers, content or b"", query_params
            )
        return call(handler, method, path, headers, body, query_params, timeout)

    return call_service


def publish_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a task's arguments to SNS's query parameters, so that MiniStack keeps attributes.

    A message that is no text becomes its JSON.
    """
    query = {key: value for key, value in given.items() if key != "MessageAttributes"}
    if not isinstance(query.get("Message"), str):
        query["Message"] = json.dumps(query.get("Message"))
    attributes = given.get("MessageAttributes", {})
    for number, (name, attribute) in enumerate(attributes.items(), 1):
        prefix = f"MessageAttributes.entry.{number}"
        query[f"{prefix}.Name"] = name
        query |= {f"{prefix}.Value.{field}": value for field, value in attribute.items()}
    return query


def sdk_key(name: str) -> str:
    """Return a member's name in a task's result: a leading acronym is folded, StreamARN stays."""
    if not name:
        return name
    capitals = len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    if capitals > 1:
        kept = capitals if capitals == len(name) else capitals - 1
        name = name[0] + name[1:kept].lower() + name[kept:]
    return name[0].upper() + name[1:]
