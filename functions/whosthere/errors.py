"""Errors that have a name in the state machine, in answers to the owner, or in `failures/`.

WhosthereError
|-- SessionInputError     the session asked for cannot be opened as asked
|-- CameraBusyError       another session holds the camera
|-- NewerRowError         a row that a newer version wrote, after a deployment was rolled back
|-- LockLostError         the session does not hold its camera any more
|-- VideoStreamGoneError  the camera's video stream does not exist any more
|-- StreamsNotActiveError  a camera's data stream is not ACTIVE, so no mapping can read it
|-- ProcessorStaysError   a stream processor runs on although it was stopped and deleted
|-- RecordError           a record that does not follow the record's schema
|-- EventError            a message that is no event of S3
|-- WorkersKilledError    a message that every worker so far was killed by
|-- PhotoRefusedError     a photo that cannot enroll anybody
|-- PictureError          there is no picture of a sighting
|-- DueLaterError         what an event asks for is due later
`-- TryAgainError         another worker is at work on the same row, or AWS is too busy
"""

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from urllib3.exceptions import HTTPError

# AWS's codes for what it will refuse again: what was asked for, not when or by whom.
REFUSED_INPUT = {
    *("ValidationException", "ValidationError", "InvalidParameter", "InvalidParameterValue"),
    *("InvalidParameterException", "InvalidParameterValueException", "InvalidArgument"),
    *("InvalidArgumentException", "InvalidImageFormatException", "ImageTooLargeException"),
    *("KeyTooLongError", "EntityTooLarge", "SerializationException"),
}


def name_of_error(error: Exception) -> str:
    """Return AWS's code of a refused call, or the error's class."""
    return loggable(error).get("code", type(error).__name__)


def loggable(error: Exception) -> dict[str, str]:
    """Return class and AWS's code of an error for a log; its text may hold names."""
    found = {"error": type(error).__name__}
    if isinstance(error, ClientError):
        found["code"] = error.response["Error"]["Code"]
    return found


def is_permanent(error: Exception) -> bool:
    """Return whether no retry can mend an error: the reason is what was given.

    AWS, the network or another worker may do better next time; the same code will not.
    """
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in REFUSED_INPUT
    if isinstance(error, ParamValidationError):
        return True
    # OSError is the network's; so is HTTPError, where TLS fails within an answer: botocore
    # passes it on. A newer version's row is read again once that is deployed.
    network = (BotoCoreError, OSError, HTTPError)
    return not isinstance(error, (*network, *RETRIED))


def reason_of(error: Exception) -> str:
    """Return why something was set aside; the text of any other error than ours may hold names."""
    return str(error) if isinstance(error, RecordError | EventError) else name_of_error(error)


class WhosthereError(Exception):
    """Base of all errors that the product raises on purpose."""


class SessionInputError(WhosthereError):
    """A session's input, or `settings.json`, has unusable fields; the text names each."""


class CameraBusyError(WhosthereError):
    """Another session holds the camera; the text says which and until when."""


class NewerRowError(WhosthereError):
    """A row that a newer version of Whosthere wrote; the text says which."""


class LockLostError(WhosthereError):
    """The session does not hold its camera any more: somebody else has cleaned up."""


class VideoStreamGoneError(WhosthereError):
    """The camera's video stream does not exist any more; the text says which."""


class StreamsNotActiveError(WhosthereError):
    """Data streams of cameras are not ACTIVE in time; the text says which."""


class ProcessorStaysError(WhosthereError):
    """A stream processor runs on although it was stopped and deleted."""


class RecordError(WhosthereError):
    """JSON that is no record; the text says which field is wrong."""


class EventError(WhosthereError):
    """A message that is no event of S3; the text says what is wrong."""


class WorkersKilledError(WhosthereError):
    """A message that every worker so far was killed by; no other one is risked."""


class PhotoRefusedError(WhosthereError):
    """A photo that cannot enroll anybody; the text says what is wrong and what to do."""


class PictureError(WhosthereError):
    """There is no picture of a sighting; the text says why."""


class DueLaterError(WhosthereError):
    """What an event asks for is not due yet: it has to come again in `wait_ms`."""

    def __init__(self, wait_ms: int) -> None:
        """Say when it is due."""
        super().__init__(f"due in {wait_ms} ms")
        self.wait_ms = wait_ms


class TryAgainError(WhosthereError):
    """Another worker is at work on the same row, or AWS is too busy: it has to be retried."""


# Errors of ours that a retry may mend.
RETRIED = (TryAgainError, DueLaterError, NewerRowError, WorkersKilledError)
