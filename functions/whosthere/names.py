"""Names of a camera's streams and processors, and of ids in rows: one rule for each."""

import re
from dataclasses import dataclass
from functools import lru_cache

from whosthere.errors import SessionInputError

CAMERA_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")  # as in settings.schema.json
# As long as the name of an execution: who is started by a schedule gets a name from AWS.
SESSION_ID = re.compile(r"[0-9A-Za-z_-]{1,80}")
PROCESSOR_NAME_LENGTH = 128  # Rekognition, CreateStreamProcessor: Name
# Ids of strangers begin with it and ids of persons with `p-`, so they sort after those.
STRANGER_PREFIX = "s-"
# In the ExternalImageId of a person's face: behind it stands which photo it is of.
PHOTO_MARK = ":"


@dataclass(frozen=True, slots=True)
class StackNames:
    """What a stack's functions find its parts by."""

    stack: str
    bucket: str
    topic_arn: str


def stream_name(stack: str, camera: str) -> str:
    """Return the name of the camera's video stream, data stream and IoT thing."""
    return f"{stack}-{camera}"


def people_collection(stack: str) -> str:
    """Return the id of the first collection of the people's faces."""
    return f"{stack}-people"


def images_prefix(stack: str, camera: str) -> str:
    """Return the prefix of the keys that the camera's images have in the bucket.

    The folder has the thing's name, so that one statement limits every camera to its own.
    """
    return f"frames/{stream_name(stack, camera)}/"


def images_uri(bucket: str, stack: str, camera: str) -> str:
    """Return where image generation puts the camera's images.

    Kinesis Video Streams joins it and an image's name by a slash: no page says so, but public
    samples end without one.
    """
    return f"s3://{bucket}/{images_prefix(stack, camera)}".removesuffix("/")


def processor_name(stack: str, camera: str, session: str) -> str:
    """Return the name of a session's processor: with its id, so no other session's is touched."""
    if not SESSION_ID.fullmatch(session):
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
    """Return the prefix of every name of a stack."""
    return f"{stack}-"


@lru_cache(maxsize=256)  # each record of a batch names the same stream
def camera_of_arn(stack: str, stream_arn: str) -> str:
    """Return the camera whose video or data stream has that ARN.

    A video stream's ARN ends in `stream/<name>/<creation time>`, a data stream's in
    `stream/<name>`.
    """
    name = stream_arn.partition(":stream/")[2].partition("/")[0]
    if not name.startswith(stack_prefix(stack)):
        raise ValueError("the stream belongs to no camera of this stack")
    return name.removeprefix(stack_prefix(stack))
