"""MiniStack's IoT Core: certificates, their things and their policies."""

from collections.abc import Callable, Mapping
from typing import Any

from local.ministack import names
from local.ministack.running import ACCOUNT, REGION, log_decision, scope
from local.ministack.services import Answer


def certificate(certificate_id: str) -> Mapping[str, Any] | None:
    """Return a certificate's record by the SHA-256 of its DER form."""
    with scope():
        found: Mapping[str, Any] | None = names.IOT_CERTIFICATE.get()(certificate_id, REGION)
    return found


def things_of(record: Mapping[str, Any]) -> list[str]:
    """Return the names of the things that a certificate is attached to."""
    return [arn.rpartition(":thing/")[2] for arn in record.get("attachedThings", [])]


def is_allowed(certificate_id: str, thing: str | None, action: str, resource: str) -> bool:
    """Return whether a certificate's IoT policies allow an action, and log the decision."""
    context = names.IOT_POLICY_CONTEXT.get()(ACCOUNT, REGION, certificate_id, thing or "")
    allowed: bool = names.IOT_POLICY_ALLOWS.get()(
        ACCOUNT, REGION, certificate_id, context, action, resource
    )
    principal = f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{certificate_id}"
    log_decision(principal, action, f"arn:aws:iot:{REGION}:{ACCOUNT}:{resource}", allowed)
    return allowed


def authority() -> str:
    """Return the certificate authority's certificate (PEM), which signs devices and our server."""
    certificate_pem: str = names.IOT_AUTHORITY.get()()[0]
    return certificate_pem


def server_certificate() -> tuple[str, str]:
    """Return certificate and private key (PEM) of a server on the loopback interface."""
    pair: tuple[str, str] = names.IOT_SERVER_CERTIFICATE.get()()
    return pair


def intercept_requests(ours: Callable[[str, str, bytes, Mapping[str, Any]], Answer | None]) -> None:
    """Let `ours(method, path, body, query)` answer requests first; None passes one on."""
    theirs = names.IOT_ROUTE.get()

    async def route(
        method: str, path: str, headers: Any, body: bytes, query_params: Mapping[str, Any]
    ) -> Any:
        answer = ours(method, path, body, query_params)
        if answer is not None:
            return answer
        return await theirs(method, path, headers, body, query_params)

    names.IOT_ROUTE.replace(route)
