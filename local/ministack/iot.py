"""MiniStack's IoT Core: certificates, what they are attached to and what they may do."""

from collections.abc import Callable, Mapping
from typing import Any

from local.ministack import names
from local.ministack.running import ACCOUNT, REGION, log_decision, scope
from local.ministack.services import Answer


def certificate(certificate_id: str) -> Mapping[str, Any] | None:
    """The record of a certificate, by the SHA-256 of its DER form."""
    with scope():
        found: Mapping[str, Any] | None = names.IOT_CERTIFICATE.get()(certificate_id, REGION)
    return found


def things_of(record: Mapping[str, Any]) -> list[str]:
    """The names of the things a certificate is attached to."""
    return [arn.rpartition(":thing/")[2] for arn in record.get("attachedThings", [])]


def is_allowed(certificate_id: str, thing: str | None, action: str, resource: str) -> bool:
    """Whether the IoT policies attached to a certificate allow this; puts it on record."""
    context = names.IOT_POLICY_CONTEXT.get()(ACCOUNT, REGION, certificate_id, thing or "")
    allowed: bool = names.IOT_POLICY_ALLOWS.get()(
        ACCOUNT, REGION, certificate_id, context, action, resource
    )
    principal = f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{certificate_id}"
    log_decision(principal, action, f"arn:aws:iot:{REGION}:{ACCOUNT}:{resource}", allowed)
    return allowed


def authority() -> str:
    """The authority's certificate in PEM: it signs devices' certificates and our server's."""
    certificate_pem: str = names.IOT_AUTHORITY.get()()[0]
    return certificate_pem


def server_certificate() -> tuple[str, str]:
    """Certificate and private key, in PEM, of a server on the loopback interface."""
    pair: tuple[str, str] = names.IOT_SERVER_CERTIFICATE.get()()
    return pair


def intercept_requests(ours: Callable[[str, str, bytes, Mapping[str, Any]], Answer | None]) -> None:
    """Let `ours(method, path, body, query)` answer a control request first; None hands it on."""
    theirs = names.IOT_ROUTE.get()

    async def route(
        method: str, path: str, headers: Any, body: bytes, query_params: Mapping[str, Any]
    ) -> Any:
        answer = ours(method, path, body, query_params)
        if answer is not None:
            return answer
        return await theirs(method, path, headers, body, query_params)

    names.IOT_ROUTE.replace(route)
