"""Parses PutMedia's acks, and what each error in them means for the sender."""

import codecs
import json
from dataclasses import dataclass
from enum import Enum

from ..errors import ConnectionLostError

# AWS's own client accepts at most 1024 bytes for an ack.
LONGEST_ACK = 16 * 1024


class Verdict(Enum):
    """What to do after an ERROR ack."""

    SKIP = "leave this fragment out"
    STOP = "nothing is accepted until the owner repairs it"
    RESEND = "try again on a new connection"


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """An error of PutMedia's documentation: its code, what to do, and advice for the owner."""

    code: str
    verdict: Verdict
    advice: str = ""


def _key(code: str) -> ErrorMeaning:
    return ErrorMeaning(code, Verdict.STOP, "Look at the KMS key of the stream.")


# AWS, PutMedia, "Acknowledgement error codes".
ERRORS = {
    4000: ErrorMeaning("STREAM_READ_ERROR", Verdict.RESEND),
    4001: ErrorMeaning("MAX_FRAGMENT_SIZE_REACHED", Verdict.SKIP),
    4002: ErrorMeaning("MAX_FRAGMENT_DURATION_REACHED", Verdict.SKIP),
    4003: ErrorMeaning("MAX_CONNECTION_DURATION_REACHED", Verdict.RESEND),
    4004: ErrorMeaning("FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS", Verdict.SKIP),
    4005: ErrorMeaning("MORE_THAN_ALLOWED_TRACKS_FOUND", Verdict.STOP),
    4006: ErrorMeaning("INVALID_MKV_DATA", Verdict.SKIP),
    4007: ErrorMeaning("INVALID_PRODUCER_TIMESTAMP", Verdict.STOP, "Set this machine's clock."),
    4008: ErrorMeaning("STREAM_NOT_ACTIVE", Verdict.STOP, "Is the stream being deleted?"),
    4009: ErrorMeaning("FRAGMENT_METADATA_LIMIT_REACHED", Verdict.SKIP),
    4010: ErrorMeaning("TRACK_NUMBER_MISMATCH", Verdict.STOP),
    4011: ErrorMeaning("FRAMES_MISSING_FOR_TRACK", Verdict.SKIP),
    4012: ErrorMeaning("MORE_THAN_ALLOWED_TRACKS_FOUND", Verdict.STOP),
    4500: _key("KMS_KEY_ACCESS_DENIED"),
    4501: _key("KMS_KEY_DISABLED"),
    4502: _key("KMS_KEY_VALIDATION_ERROR"),
    4503: _key("KMS_KEY_UNAVAILABLE"),
    4504: _key("KMS_KEY_INVALID_USAGE"),
    4505: _key("KMS_KEY_INVALID_STATE"),
    4506: _key("KMS_KEY_NOT_FOUND"),
    4507: ErrorMeaning("STREAM_DELETED", Verdict.STOP, "Deploy the stack again."),
    5000: ErrorMeaning("INTERNAL_ERROR", Verdict.RESEND),
    5001: ErrorMeaning("ARCHIVAL_ERROR", Verdict.RESEND),
}


@dataclass(frozen=True, slots=True)
class Ack:
    """One ack of the service, about a fragment or about the connection."""

    event: str
    timecode: int | None
    error_id: int | None
    error_code: str

    @property
    def meaning(self) -> ErrorMeaning:
        """Return the meaning of an ERROR ack; an unknown error is retried."""
        unknown = ErrorMeaning(self.error_code or "UNKNOWN", Verdict.RESEND)
        return ERRORS.get(self.error_id or 0, unknown)

    @property
    def error(self) -> str:
        """Return the error in one line, with advice if there is any."""
        return f"{self.error_id} {self.meaning.code}. {self.meaning.advice}".rstrip()


class AckParser:
    """Splits a stream of JSON objects into acks, wherever the network cuts it."""

    def __init__(self) -> None:
        """Start without data."""
        self._text = ""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._json = json.JSONDecoder()

    def feed(self, data: bytes) -> list[Ack]:
        """Add received data and return the acks that are complete."""
        self._text = (self._text + self._utf8.decode(data)).lstrip()
        acks = []
        while self._text:
            if not self._text.startswith("{"):
                raise self._invalid_ack()
            try:
                fields, end = self._json.raw_decode(self._text)
            except json.JSONDecodeError:
                if len(self._text) > LONGEST_ACK:
                    raise self._invalid_ack() from None
                break
            acks.append(_ack(fields))
            self._text = self._text[end:].lstrip()
        return acks

    def _invalid_ack(self) -> ConnectionLostError:
        return ConnectionLostError(f"what came back is no ack: {self._text[:80]!r}")


def _ack(fields: dict[str, object]) -> Ack:
    # The PutMedia page's example wraps the fields in one object; the service does not.
    inner = fields.get("Acknowledgement")
    if isinstance(inner, dict):
        fields = inner
    return Ack(
        event=str(fields.get("EventType", "")),
        timecode=_whole_number(fields.get("FragmentTimecode")),
        error_id=_whole_number(fields.get("ErrorId")),
        error_code=str(fields.get("ErrorCode", "")),
    )


def _whole_number(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None
