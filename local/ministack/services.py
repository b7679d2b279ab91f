"""Our services that MiniStack routes to."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from local.ministack import names
from local.ministack.access import Principal, acting, authorize, handling, principal_of_key
from local.ministack.running import ACCOUNT, REGION
from local.security.iam import AccessDenied
from local.security.resource_types import resource_of

Answer = tuple[int, dict[str, str], bytes]


class ServiceModule(Protocol):
    """The functions that MiniStack calls in a service's module."""

    async def handle_request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, list[str]],
    ) -> Answer:
        """Answer one request."""
        ...

    def reset(self) -> None:
        """Delete all state."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """One of our services; `local/<name>/api/service.py` holds it as SERVICE.

    A module may also have `stop()`, which is called once at the end.
    `resources` maps a CloudFormation type to its handlers: {"create": fn(logical_id, props,
    stack_name) -> (physical_id, attributes), "delete": fn(physical_id, props), optional
    "update": fn(physical_id, old_props, new_props, stack_name) -> (physical_id, attributes)}.
    `passes_role` maps an operation to the parameter that holds a role's ARN (iam:PassRole).
    `stream_arn` finds the ARN of a video stream by name, for services that name streams.
    """

    name: str
    module: ServiceModule
    target_prefix: str
    error_prefix: str
    resources: Mapping[str, Mapping[str, Callable[..., Any]]] = field(default_factory=dict)
    passes_role: Mapping[str, str] = field(default_factory=dict)
    stream_arn: Callable[[str], str | None] | None = None


_registered: dict[str, Service] = {}


def register_service(service: Service) -> None:
    """Route a service's requests, tasks, CloudFormation types and IAM checks to our module."""
    name = service.name
    module = SimpleNamespace(handle_request=_guarded_handler(service), reset=service.module.reset)
    names.LOADED_MODULES.get()[name] = module
    names.SERVICE_REGISTRY.get()[name] = {"module": name}
    names.STATE_MAP.get()[name] = name
    names.SERVICE_HANDLERS.get()[name] = names.LAZY_HANDLER.get()(name)
    names.SERVICE_PATTERNS.get()[name] = {
        "target_prefixes": [service.target_prefix],
        "host_patterns": [rf"^{name}\."],
        "credential_scope": name,
    }
    names.SDK_SERVICES.get()[name] = {"target_prefix": service.target_prefix, "protocol": "json"}
    names.SDK_PREFIXES.get()[name] = service.error_prefix
    names.NAMESPACES.get()[name] = name
    names.BOTOCORE_NAMES.get()[name] = [name]
    names.CFN_HANDLERS.get().update(
        {kind: dict(handlers) for kind, handlers in service.resources.items()}
    )
    _registered[name] = service


def _guarded_handler(service: Service) -> Callable[..., Awaitable[Answer]]:
    """Return the module's handler, which knows its caller and checks iam:PassRole first."""

    async def handle_request(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, list[str]],
    ) -> Answer:
        caller = acting() or principal_of_key(names.ACCESS_KEY_OF.get()(headers, query_params))
        with handling(caller):
            try:
                _check_passed_role(service, caller, path, headers, body)
            except AccessDenied as denied:
                return _denied_answer(denied)
            return await service.module.handle_request(method, path, headers, body, query_params)

    return handle_request


def _check_passed_role(
    service: Service, caller: Principal, path: str, headers: Mapping[str, str], body: bytes
) -> None:
    parameter = service.passes_role.get(requested_operation(path, headers))
    role_arn = _parameters(body).get(parameter) if parameter else None
    if role_arn and isinstance(role_arn, str):  # else the service itself will say so
        authorize(
            caller,
            "iam:PassRole",
            role_arn,
            {"iam:PassedToService": f"{service.name}.amazonaws.com"},
        )


def _denied_answer(denied: AccessDenied) -> Answer:
    body = json.dumps(
        {"__type": "AccessDeniedException", "Message": denied.message, "message": denied.message}
    )
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-ErrorType": "AccessDeniedException",
    }
    return 400, headers, body.encode()


def is_ours(service: str) -> bool:
    """Return whether a service is one of ours."""
    return service in _registered


def requested_operation(path: str, headers: Mapping[str, str]) -> str:
    """Return the operation of a request to our services, from its target or else its path."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2] or path.strip("/")
    return operation[:1].upper() + operation[1:]


def request_resource(service: str, action: str, body: bytes) -> str:
    """Return the ARN on which a request to our services is authorized."""
    find = _registered[service].stream_arn
    return resource_of(action, _parameters(body), region=REGION, account=ACCOUNT, stream_arn=find)


def _parameters(body: bytes) -> dict[str, Any]:
    """Return a request's parameters, {} if it is not JSON, which the service itself refuses."""
    try:
        parameters = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return parameters if isinstance(parameters, dict) else {}
