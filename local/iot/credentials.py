"""The credential provider's decisions: identify the device, authorize it, issue keys of the role.

The order of the checks and the words of the refusals are those that AWS's session helper
lists (awslabs/aws-iot-core-credential-provider-session-helper, "Credential
Provider responses"). It lists none for an inactive certificate: that one is our reading.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from local.iot.role_aliases import ALIASES, RoleAlias
from local.ministack import iot
from local.ministack.roles import assume_role_as_service, max_session_seconds
from local.security.iam import AccessDenied

SERVICE = "credentials.iot.amazonaws.com"
TOO_LONG = "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"
ACTION = "iot:AssumeRoleWithCertificate"


class CredentialsRefused(Exception):  # noqa: N818 - it is an answer
    """A refusal: the HTTP status, the error's name and AWS's message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Make the answer that refuses keys."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def credentials(certificate: bytes, alias_name: str, thing: str | None) -> dict[str, Any]:
    """Return temporary keys for a certificate (DER), or raise CredentialsRefused."""
    certificate_id = hashlib.sha256(certificate).hexdigest()
    record = iot.certificate(certificate_id)
    if record is None or record["status"] != "ACTIVE":
        raise _forbidden("Certificate is invalid on this endpoint")
    if thing is not None and thing not in iot.things_of(record):
        raise _forbidden("Invalid thing name passed")
    if not iot.is_allowed(certificate_id, thing, ACTION, f"rolealias/{alias_name}"):
        raise _forbidden("Access Denied")
    alias = ALIASES.find(alias_name)
    if alias is None:
        raise CredentialsRefused(404, "ResourceNotFoundException", "Role alias does not exist")
    return _keys(alias, certificate_id, thing)


def _keys(alias: RoleAlias, certificate_id: str, thing: str | None) -> dict[str, Any]:
    context = {"credentials-iot:AwsCertificateId": certificate_id}
    if thing is not None:
        context["credentials-iot:ThingName"] = thing
    max_seconds = max_session_seconds(alias.role_arn)
    if max_seconds is not None and alias.seconds > max_seconds:
        raise _invalid(TOO_LONG)
    try:
        keys = assume_role_as_service(
            alias.role_arn,
            service=SERVICE,
            session_name=certificate_id,
            seconds=alias.seconds,
            context=context,
        )
    except AccessDenied as denied:
        raise _invalid(
            "Unable to assume the role, or the role to assume does not exist"
        ) from denied
    assert keys.expires is not None
    return {
        "accessKeyId": keys.access_key_id,
        "secretAccessKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
        "expiration": datetime.fromtimestamp(keys.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _forbidden(message: str) -> CredentialsRefused:
    return CredentialsRefused(403, "AccessDeniedException", message)


def _invalid(message: str) -> CredentialsRefused:
    return CredentialsRefused(400, "InvalidRequestException", message)
