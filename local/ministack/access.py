"""The caller of a request, and its authorization."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.ministack import names
from local.ministack.running import ACCOUNT, REGION, log_decision, scope
from local.security.iam import access_denied, principal_name


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a role's session (then `role` is the role's name)."""

    arn: str
    account: str = ACCOUNT
    access_key_id: str = ""

    @property
    def role(self) -> str:
        """Return the role's name of an assumed-role session, else the last part of the ARN."""
        return principal_name(self.arn)


_caller: contextvars.ContextVar[Principal | None] = contextvars.ContextVar("caller", default=None)
_acting: contextvars.ContextVar[Principal | None] = contextvars.ContextVar("acting", default=None)


def role_principal(role_arn: str, session_name: str) -> Principal:
    """Return the assumed-role session of a service that acts under a role."""
    role = role_arn.rsplit("/", 1)[-1]
    return Principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session_name}")


def principal_of_key(access_key_id: str) -> Principal:
    """Return the owner of an access key; its ARN is empty for an unknown key."""
    with scope():
        known = names.RESOLVE_PRINCIPAL.get()(access_key_id, ACCOUNT)
    return Principal(getattr(known, "arn", ""), ACCOUNT, access_key_id)


def current_principal() -> Principal:
    """Return the sender of the request that is being handled."""
    caller = _caller.get()
    if caller is None:
        raise LookupError("no request of a registered service is being handled here")
    return caller


@contextlib.contextmanager
def handling(caller: Principal) -> Iterator[None]:
    """Make `current_principal` return this caller inside the block."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


@contextlib.contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Make services called inside the block see this principal as their caller."""
    token = _acting.set(principal)
    try:
        yield
    finally:
        _acting.reset(token)


def acting() -> Principal | None:
    """Return the principal of `acting_as`, or None outside of it."""
    return _acting.get()


def authorize(
    principal: Principal, action: str, resource: str, context: Mapping[str, Any] | None = None
) -> None:
    """Raise AccessDenied, in AWS's words, unless the principal's policies allow the action."""
    with scope():
        allowed, explicit = _decide(principal, action, resource, context or {})
    log_decision(principal.arn, action, resource, allowed)
    if not allowed:
        raise access_denied(principal.arn, action, resource, explicit=explicit)


def authorize_request(
    principal: Principal,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: dict[str, Any],
) -> None:
    """Raise AccessDenied unless the principal may make this request to any service."""
    service = names.DETECT_SERVICE.get()(method, path, headers, query)
    action = names.ACTION_OF.get()(service, method, path, headers, body, query)
    if action is None:
        raise access_denied(principal.arn, f"{service}:{method} {path}", "*", explicit=False)
    resource = names.RESOURCE_OF.get()(service, method, path, headers, body, query, REGION, ACCOUNT)
    context = names.DYNAMODB_CONTEXT.get()(body) if service == "dynamodb" else {}
    authorize(principal, action, resource, context)


def service_context(service: str, action: str, resource: str, keys: Mapping[str, Any]) -> Any:
    """Return the evaluation context of an AWS service's own call; keys are in lower case."""
    return names.EVAL_CONTEXT.get()(
        principal_arn=service,
        principal_type="Service",
        principal_account=ACCOUNT,
        action=action,
        resource_arn=resource,
        region=REGION,
        secure_transport=True,
        service_context=dict(keys),
    )


def authorize_service(
    service: str, action: str, resource: str, *, source_arn: str, names_itself: bool = True
) -> None:
    """Raise AccessDenied unless the resource's own policy lets a service do this for a source.

    A service that does not name the source and its account meets no Condition on them.
    """
    with scope():
        found = names.RESOURCE_POLICY.get()(action.partition(":")[0], resource)
        context = {"aws:sourcearn": source_arn, "aws:sourceaccount": ACCOUNT}
        ctx = service_context(service, action, resource, context if names_itself else {})
        allowed = (
            bool(found)
            and names.SERVICE_POLICY.get()(found[0], ctx, service=service).decision == "Allow"
        )
    log_decision(service, action, resource, allowed)
    if not allowed:
        raise access_denied(service, action, resource, explicit=False)


def log_emulator_decision(access_key_id: str, action: str, resource: str, *, allowed: bool) -> None:
    """Log a decision that MiniStack itself made."""
    log_decision(principal_of_key(access_key_id).arn, action, resource, allowed)


def _decide(
    principal: Principal, action: str, resource: str, context: Mapping[str, Any]
) -> tuple[bool, bool]:
    """Return whether the action is allowed, and whether a statement denies it explicitly."""
    policies, limits, keys = _policies(principal)
    if policies is None:  # the account's root, which only MiniStack itself can be
        return True, False
    ctx = names.EVAL_CONTEXT.get()(
        principal_arn=principal.arn,
        principal_type="AssumedRole" if ":assumed-role/" in principal.arn else "User",
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=REGION,
        secure_transport=True,
        service_context={key.lower(): value for key, value in context.items()},
        principal_keys=keys,
    )
    result = names.EVALUATE.get()(ctx, policies, *limits)
    if found := names.RESOURCE_POLICY.get()(action.partition(":")[0], resource):
        result = names.COMBINE.get()(result, ctx, *found, limits=tuple(limits))
    return result.decision == "Allow", result.decision == "Deny"


def _policies(principal: Principal) -> tuple[Any, Any, dict[str, Any]]:
    """Return a principal's policies, their limits (boundary, session) and its condition keys."""
    if principal.access_key_id or principal.arn.endswith(":root"):
        known = names.RESOLVE_PRINCIPAL.get()(principal.access_key_id, principal.account)
        if not hasattr(known, "policies"):
            return [], [], {}
        return known.policies, known.limits, known.keys
    gathered = names.ROLE_POLICIES.get()(principal.role, principal.account)
    return gathered, names.BOUNDARY.get()(names.ROLES.get(), principal.role, principal.account), {}
