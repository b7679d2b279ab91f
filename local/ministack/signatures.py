"""Signature Version 4 of requests that bypass MiniStack: the media plane's."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.ministack import names
from local.ministack.access import Principal
from local.ministack.running import ACCOUNT, scope

Query = Mapping[str, Sequence[str]]


class NotAuthenticError(Exception):
    """A request with an invalid signature; `code`, `message` and `status` are AWS's."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        """Make the error with its HTTP status."""
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def authenticate(
    method: str, raw_path: str, query: Query, headers: Mapping[str, str], body: bytes | None = None
) -> Principal:
    """Verify a request signed in its header (Signature Version 4) and return its sender.

    `headers` have lower-case names. Without a body (it is still being streamed) the
    signature may cover the empty string, as the C++ producer does, or UNSIGNED-PAYLOAD.
    """
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        raise NotAuthenticError(
            "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
    signature = names.SIGNATURE_PARTS.get()(headers)
    if isinstance(signature, tuple):
        raise NotAuthenticError(f"{signature[0]}Exception", signature[1])
    if skewed := names.SIGNATURE_TIME.get()(signature):
        raise NotAuthenticError("InvalidSignatureException", skewed[1])
    with scope():
        credential = names.RESOLVE_CREDENTIAL.get()(
            signature.access_key_id, ACCOUNT, headers.get("x-amz-security-token", "")
        )
    if getattr(credential, "principal_type", "Root") == "Root":
        message = "The security token included in the request is invalid."
        raise NotAuthenticError("UnrecognizedClientException", message)
    _check_signature(
        signature, credential.secret_access_key, (method, raw_path), query, headers, body
    )
    return Principal(credential.principal_arn, credential.account_id, signature.access_key_id)


def _check_signature(
    signature: Any,
    secret: str,
    line: tuple[str, str],
    query: Query,
    headers: Mapping[str, str],
    body: bytes | None,
) -> None:
    hashes = {} if body is not None else {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    failure = None
    for extra in ({}, hashes):
        failure = names.SIGNATURE_FAILURE.get()(
            signature, secret, *line, query, {**extra, **headers}, body or b""
        )
        if failure is None:
            return
    assert failure is not None
    raise NotAuthenticError("InvalidSignatureException", failure[1])
