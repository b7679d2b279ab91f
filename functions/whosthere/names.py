"""Names of what belongs to a camera: one rule for streams, processors and rows."""

import re
from dataclasses import dataclass

from whosthere.errors import SessionInputError

# As long as the name of an execution: who is started by a schedule gets a name from AWS.
SESSION_ID = re.compile(r"^[0-9A-Za-z_-]{1,80}$")
PROCESSOR_NAME_LENGTH = 128  # Rekognition, CreateStreamProcessor: Name


@dataclass(frozen=True, slots=True)
class StackNames:
    """What a stack's functions find its parts by."""

    stack: str
    bucket: str
    topic_arn: str


def stream_name(stack: str, camera: str) -> str:
    """Name of the camera's video stream and data stream, and of its IoT thing."""
    return f"{stack}-{camera}"


def processor_name(stack: str, camera: str, session: str) -> str:
    """Name of a session's processor: holds its id, so nobody else's can be touched."""
    if not SESSION_ID.match(session):
        raise SessionInputError(
            f"name of the execution: {session!r} has to be 1 to 80 of 0-9 A-Z a-z _ -"
        )
    name = f"{stack_prefix(stack)}{camera}-{session}"
    if len(name) > PROCESSOR_NAME_LENGTH:
        raise SessionInputError(
            f"name of the execution: {name!r} is longer than the {PROCESSOR_NAME_LENGTH}"
            " characters a stream processor's name may have"
        )
    return name


def stack_prefix(stack: str) -> str:
    """What every name of a stack begins with."""
    return f"{stack}-"


def camera_of_arn(stack: str, stream_arn: str) -> str:
    """The camera whose video or data stream has that ARN.

    A video stream's ARN ends in `stream/<name>/<creation time>`, a data stream's in
    `stream/<name>`.
    """
    name = stream_arn.partition(":stream/")[2].partition("/")[0]
    if not name.startswith(stack_prefix(stack)):
        raise ValueError("the stream belongs to no camera of this stack")
    return name.removeprefix(stack_prefix(stack))
