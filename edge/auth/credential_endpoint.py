"""The client of AWS IoT's credential provider, which exchanges a certificate for credentials."""

import http.client
import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path

from ..errors import RefusedError, UnreachableError
from ..settings import Identity

# kvssink allows 3 s to connect and 5 s in all.
TIMEOUT_S = 5.0
PORT = 443
UNPAIRED = (
    "This camera is not paired, or no longer: its certificate, thing or policy is missing. "
    "Run `./whosthere pair` for it again."
)
NO_ALIAS = "The stack was deleted, or deployed under another name. Pair this camera again."


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """Credentials to sign with; `expires_at` is a time of the monotonic clock."""

    frozen: ReadOnlyCredentials = field(repr=False)
    expires_at: float

    @property
    def seconds_left(self) -> float:
        """Return how long they stay valid; a negative number once they have expired."""
        return self.expires_at - time.monotonic()


def fetch_credentials(identity: Identity, ca: Path | None) -> TemporaryCredentials:
    """Fetch new credentials from the provider.

    Raises RefusedError if the provider denies them, UnreachableError if it does not answer.
    """
    host, _, port = identity.credential_endpoint.partition(":")
    context = _tls_context(identity, ca)
    connection = http.client.HTTPSConnection(
        host, int(port or PORT), context=context, timeout=TIMEOUT_S
    )
    path = f"/role-aliases/{identity.role_alias}/credentials"
    try:
        connection.request("GET", path, headers={"x-amzn-iot-thingname": identity.thing})
        answer = connection.getresponse()
        body = answer.read(64 * 1024)
        if answer.status != http.HTTPStatus.OK:
            raise _refusal(answer.status, body)
        return _parse_credentials(json.loads(body), answer.headers.get("Date"))
    except ssl.SSLCertVerificationError as exc:
        raise RefusedError(
            f"{host} has no valid certificate: {exc.verify_message}. Is this machine's clock right?"
        ) from exc
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnreachableError(
            f"No credentials from {identity.credential_endpoint}: {exc!r}"
        ) from exc
    finally:
        connection.close()


def _tls_context(identity: Identity, ca: Path | None) -> ssl.SSLContext:
    # Read each time, so that a renewed certificate needs no restart.
    try:
        context = ssl.create_default_context(cafile=ca or get_cert_path(True))
        context.load_cert_chain(identity.certificate, identity.key)
    except (OSError, ssl.SSLError) as exc:
        files = f"{identity.certificate} and {identity.key}"
        raise RefusedError(f"The identity cannot be read from {files}: {exc}") from exc
    return context


def _parse_credentials(content: dict[str, Any], date: str | None) -> TemporaryCredentials:
    given = content["credentials"]
    frozen = ReadOnlyCredentials(
        given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
    )
    ends = datetime.fromisoformat(given["expiration"]).timestamp()
    # Use the provider's clock if the answer has one: this machine's may be wrong.
    now = parsedate_to_datetime(date).timestamp() if date else time.time()
    return TemporaryCredentials(frozen, time.monotonic() + ends - now)


def _refusal(status: int, body: bytes) -> RefusedError | UnreachableError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    text = f"The credential provider answered {status} {message}".rstrip(". ")
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        return UnreachableError(f"{text}.")
    hint = {403: UNPAIRED, 404: NO_ALIAS}.get(status, "Look at the stack's role and role alias.")
    return RefusedError(f"{text}. {hint}")
