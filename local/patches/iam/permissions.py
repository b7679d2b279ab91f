"""IAM: our services' resources, the log of decisions, loopback as secure transport."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.ministack import names

SCHEDULES = "/schedules/"


def install() -> None:
    """Patch MiniStack's IAM."""
    names.ACTION_OF.replace(_naming_our_actions(names.ACTION_OF.get()))
    names.RESOURCE_OF.replace(_naming_our_resources(names.RESOURCE_OF.get()))
    names.REQUEST_TAGS.replace(_surviving_any_nesting(names.REQUEST_TAGS.get()))
    names.ENFORCE.replace(_on_record(names.ENFORCE.get()))
    names.PIN_ORIGIN.replace(_secure(names.PIN_ORIGIN.get()))
    names.CONDITION_KEY.replace(_naming_the_role(names.CONDITION_KEY.get()))


def _naming_our_actions(action_of: Callable[..., str | None]) -> Callable[..., str | None]:
    """Name our services' actions by their operation; MiniStack would read `Action` in the query."""

    @functools.wraps(action_of)
    def extract(
        service: str, method: str, path: str, headers: Mapping[str, str], *rest: Any
    ) -> str | None:
        if ministack.is_ours(service):
            return f"{service}:{ministack.requested_operation(path, headers)}"
        return action_of(service, method, path, headers, *rest)

    return extract


def _naming_our_resources(resource_of: Callable[..., str]) -> Callable[..., str]:
    """Check our services on the ARN of their resource; MiniStack would check them on `*`."""

    @functools.wraps(resource_of)
    def extract(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        if ministack.is_ours(service):
            action = names.ACTION_OF.get()(service, method, path, headers, body, query_params)
            return ministack.request_resource(service, action or "", body)
        if service == "scheduler" and path.startswith(SCHEDULES):
            group = _schedule_group(body, query_params)
            name = path.removeprefix(SCHEDULES)
            return f"arn:aws:scheduler:{region}:{account_id}:schedule/{group}/{name}"
        if service == "kinesis" and (stream := _stream_behind_iterator(body)):
            return stream
        return resource_of(service, method, path, headers, body, query_params, region, account_id)

    return extract


def _stream_behind_iterator(body: bytes) -> str | None:
    """Return the data stream behind a ShardIterator; MiniStack would check GetRecords on `*`."""
    try:
        iterator = json.loads(body)["ShardIterator"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    found = names.SHARD_ITERATORS.get().get(iterator)
    return str(found["stream_arn"]) if found else None


def _schedule_group(body: bytes, query: Mapping[str, Any]) -> str:
    """Return a schedule's group; MiniStack would always take the default group."""
    given = query.get("groupName") or json.loads(body or b"{}").get("GroupName") or "default"
    return str(given[0] if isinstance(given, list) else given)


def _surviving_any_nesting(tags_of: Callable[..., Mapping[str, Any]]) -> Callable[..., Any]:
    """Return no tags for JSON nested too deep; the services have an error for it."""

    @functools.wraps(tags_of)
    def read(*request: Any) -> Mapping[str, Any]:
        try:
            return tags_of(*request)
        except RecursionError:
            return {}

    return read


def _on_record(enforce: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(enforce)
    def decide(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        refusal = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        if refusal is None or hasattr(refusal, "decision"):  # else the request isn't authentic
            ministack.log_emulator_decision(
                access_key_id, iam_action, resource_arn, allowed=refusal is None
            )
        return refusal

    return decide


def _secure(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    """Count the loopback interface as secure transport, for policies that refuse plain HTTP."""

    def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
        del secure_transport
        pin(source_ip, True)

    return pin_request_origin


def _naming_the_role(resolve: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Resolve `aws:PrincipalArn` of a session to its role, path and all (IAM, global keys)."""

    @functools.wraps(resolve)
    def value_of(key: str, ctx: Any) -> Any:
        value = resolve(key, ctx)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
            return value
        return ministack.arn_of_role(str(value).partition(":assumed-role/")[2].partition("/")[0])

    return value_of
