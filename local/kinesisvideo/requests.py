"""The contents of a request: parameters, times and page tokens."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from local.kinesisvideo import validation
from local.kinesisvideo.errors import KinesisVideoError, invalid_argument

Parameters = Mapping[str, Any]

EARLIEST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()

# AWS encrypts its tokens; these carry a MAC, so that only our own are accepted.
_KEY = secrets.token_bytes(32)
_SEAL_BYTES = 16


def read(operation: str, body: bytes) -> dict[str, Any]:
    """Parse a request's body and check it against the operation's model."""
    try:
        parameters = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        message = "The request body is not JSON"
        raise KinesisVideoError("SerializationException", message) from error
    return validation.checked(operation, parameters)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def milliseconds(timestamp: float | str) -> int:
    """Convert a timestamp (seconds or ISO 8601) to milliseconds since the epoch."""
    try:
        if isinstance(timestamp, str):
            timestamp = _seconds(timestamp)
        if EARLIEST <= timestamp <= LATEST:
            return round(timestamp * 1000)
    except (ValueError, OverflowError) as error:
        raise invalid_argument("A timestamp is not valid") from error
    raise invalid_argument("A timestamp is out of range")


def _seconds(written: str) -> float:
    parsed = datetime.fromisoformat(written)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def seal(listing: str, position: Mapping[str, Any]) -> str:
    """Return a NextToken that carries the position of a listing's next page."""
    content = json.dumps(position).encode()
    return base64.b64encode(_mac(listing, content) + content).decode()


def unseal(listing: str, token: str) -> dict[str, Any]:
    """Return the position in a NextToken of that listing; raise an error for any other token."""
    try:
        sealed = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("NextToken is not valid") from error
    mac, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(mac, _mac(listing, content)):
        raise invalid_argument("NextToken is not valid")
    return dict(json.loads(content))


def _mac(listing: str, content: bytes) -> bytes:
    sealed = listing.encode() + b"\0" + content
    return hmac.new(_KEY, sealed, hashlib.sha256).digest()[:_SEAL_BYTES]


def stream_identifiers(parameters: Parameters) -> tuple[str | None, str | None]:
    """Return the stream's name and ARN; one of the two must be given."""
    name, arn = parameters.get("StreamName"), parameters.get("StreamARN")
    if not name and not arn:
        raise invalid_argument("Either StreamName or StreamARN must be given")
    return name, arn


def jpeg_quality(parameters: Parameters) -> int:
    """Return FormatConfig's JPEGQuality, by default 80."""
    quality = parameters.get("FormatConfig", {}).get("JPEGQuality", "80")
    if not (quality.isdecimal() and 1 <= int(quality) <= 100):
        raise invalid_argument("JPEGQuality must be from 1 to 100")
    return int(quality)
