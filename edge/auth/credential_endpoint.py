"""AWS IoT's credential provider: keys of a role for whoever has the device's certificate."""

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

# kvssink gives it 3 s to connect and 5 s in all.
TIMEOUT_S = 5.0
PORT = 443
UNPAIRED = (
    "This camera is not, or not any more, paired: its certificate, thing or policy is gone. "
    "Run `./whosthere pair` for it again."
)
NO_ALIAS = "The stack is gone, or deployed anew under another name. Pair this camera again."


@dataclass(frozen=True, slots=True)
class TemporaryKeys:
    """Keys to sign with, and when they end by this machine's monotonic clock."""

    frozen: ReadOnlyCredentials = field(repr=False)
    ends_at: float

    @property
    def seconds_left(self) -> float:
        """How long they are still good for; negative when they are not."""
        return self.ends_at - time.monotonic()


def fetch(identity: Identity, ca: Path | None) -> TemporaryKeys:
    """Get new keys; RefusedError or UnreachableError if there are none."""
    host, _, port = identity.credential_endpoint.partition(":")
    context = _context(identity, ca)
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
        return _keys(json.loads(body), answer.headers.get("Date"))
    except ssl.SSLCertVerificationError as exc:
        raise RefusedError(
            f"{host} is not who it should be: {exc.verify_message}. Is this machine's clock right?"
        ) from exc
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnreachableError(f"No keys from {identity.credential_endpoint}: {exc!r}") from exc
    finally:
        connection.close()


def _context(identity: Identity, ca: Path | None) -> ssl.SSLContext:
    # Read each time: a renewed certificate counts without a restart.
    try:
        context = ssl.create_default_context(cafile=ca or get_cert_path(True))
        context.load_cert_chain(identity.certificate, identity.key)
    except (OSError, ssl.SSLError) as exc:
        files = f"{identity.certificate} and {identity.key}"
        raise RefusedError(f"The identity cannot be read from {files}: {exc}") from exc
    return context


def _keys(content: dict[str, Any], date: str | None) -> TemporaryKeys:
    given = content["credentials"]
    frozen = ReadOnlyCredentials(
        given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
    )
    ends = datetime.fromisoformat(given["expiration"]).timestamp()
    # By the provider's clock, where it tells it: this machine's may be wrong.
    now = parsedate_to_datetime(date).timestamp() if date else time.time()
    return TemporaryKeys(frozen, time.monotonic() + ends - now)


def _refusal(status: int, body: bytes) -> RefusedError | UnreachableError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    text = f"The credential provider says {status} {message}".rstrip(". ")
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        return UnreachableError(f"{text}.")
    hint = {403: UNPAIRED, 404: NO_ALIAS}.get(status, "Look at the stack's role and role alias.")
    return RefusedError(f"{text}. {hint}")
