"""Roles that services assume: trust policies and temporary credentials."""

import json
import time
from collections.abc import Mapping
from typing import Any

from local.ministack import names
from local.ministack.access import Principal, service_context
from local.ministack.running import ACCOUNT, log_decision, scope
from local.security.iam import AccessDenied, access_denied
from local.security.signing import Credentials


def assume_role_as_service(
    role_arn: str,
    *,
    service: str,
    session_name: str,
    source_arn: str | None = None,
    seconds: int | None = None,
    context: Mapping[str, str] | None = None,
) -> Credentials:
    """Return temporary keys of a role; raise AccessDenied if it does not trust the service.

    They end after so many seconds, if any are given; `context` are condition keys that every
    request with them has.
    """
    check_trust(role_arn, service, source_arn)
    role = role_arn.rsplit("/", 1)[-1]
    keys = Credentials(
        names.NEW_SESSION_KEY.get()(),
        names.NEW_SECRET.get()(),
        names.NEW_TOKEN.get()(),
        None if seconds is None else time.time() + seconds,
    )
    names.REGISTER_SESSION.get()(
        keys.access_key_id,
        {
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session_name}",
            "UserId": f"{role}:{session_name}",
            "SecretAccessKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
            "AccountId": ACCOUNT,
            "PrincipalType": "AssumedRole",
            "Expiration": keys.expires,
            "ContextKeys": {key.lower(): value for key, value in (context or {}).items()},
        },
    )
    return keys


def max_session_seconds(role_arn: str) -> int | None:
    """Return a role's MaxSessionDuration in seconds, or None for an unknown role."""
    with scope():
        role = names.ROLES.get().get_scoped(ACCOUNT, None, role_arn.rsplit("/", 1)[-1])
    return None if role is None else int(role.get("MaxSessionDuration", 3600))


def arn_of_role(name: str) -> str:
    """Return the ARN of the role of that name; the path is part of it."""
    with scope():
        role = names.ROLES.get().get_scoped(ACCOUNT, None, name)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}" if role is None else str(role["Arn"])


def check_trust(role_arn: str, service: str, source_arn: str | None = None) -> None:
    """Raise AccessDenied unless the role exists and its trust policy lets the service assume it."""
    name = role_arn.rsplit("/", 1)[-1]
    with scope():
        role = names.ROLES.get().get_scoped(ACCOUNT, None, name)
        trusted = role is not None and _trusts(role, role_arn, service, source_arn)
    log_decision(service, "sts:AssumeRole", role_arn, trusted)
    if not trusted:
        raise access_denied(service, "sts:AssumeRole", role_arn, explicit=False)


def _trusts(role: Mapping[str, Any], role_arn: str, service: str, source_arn: str | None) -> bool:
    document = role.get("AssumeRolePolicyDocument", "{}")
    document = json.loads(document) if isinstance(document, str) else document
    statements = document.get("Statement", [])
    context = {
        "aws:sourceaccount": ACCOUNT,
        **({"aws:sourcearn": source_arn} if source_arn else {}),
    }
    ctx = service_context(service, "sts:AssumeRole", role_arn, context)
    effects = {
        statement["Effect"]
        for statement in ([statements] if isinstance(statements, dict) else statements)
        if service in _listed(statement.get("Principal"), "Service")
        and names.ACTION_MATCHES.get()(
            "sts:AssumeRole", _listed(statement, "Action"), _listed(statement, "NotAction")
        )
        and names.CONDITIONS_MET.get()(statement.get("Condition", {}), ctx)
    }
    return effects == {"Allow"}


def _listed(where: Any, key: str) -> list[str]:
    value = where.get(key, []) if isinstance(where, Mapping) else []
    return [value] if isinstance(value, str) else list(value)


def credentials_of(principal: Principal) -> Credentials:
    """Return the keys of a principal, for a service that acts with its caller's rights."""
    with scope():
        found = names.RESOLVE_CREDENTIAL.get()(principal.access_key_id, ACCOUNT)
    if not hasattr(found, "secret_access_key"):
        raise AccessDenied(found.message)
    return Credentials(found.access_key_id, found.secret_access_key, found.session_token)
