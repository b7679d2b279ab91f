"""Data streams of cameras: Lambda refuses a mapping whose stream is not ACTIVE yet."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from whosthere.errors import StreamsNotActiveError, is_permanent
from whosthere.names import stream_name
from whosthere.session.custom_resource import DELETE

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

# A stream is made within seconds, but not more than five at once (Kinesis Data Streams,
# CreateStream). The custom resource's own time must outlast this.
WAIT_S = 420.0
PAUSE_S = 2.0


def wait_for_cameras(kinesis: "KinesisClient", stack: str, event: Mapping[str, Any]) -> None:
    """Wait for the data streams of a custom resource's cameras, unless these go."""
    if event["RequestType"] != DELETE:
        cameras = event["ResourceProperties"]["Cameras"]
        wait_until_active(kinesis, [stream_name(stack, camera) for camera in cameras])


def wait_until_active(
    kinesis: "KinesisClient",
    streams: Iterable[str],
    *,
    seconds: float = WAIT_S,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until all data streams of these names are ACTIVE, in whatever order they are made.

    Raises StreamsNotActiveError after so many seconds. Until then every refusal counts as a
    stream that is not there yet, but one of the name: a role that has just been made is denied
    for a while too.
    """
    waiting = dict.fromkeys(streams, "")
    waited = 0.0
    while True:
        waiting = {stream: _status(kinesis, stream) for stream in waiting}
        waiting = {stream: status for stream, status in waiting.items() if status != "ACTIVE"}
        if not waiting:
            return
        if waited >= seconds:
            found = ", ".join(f"{stream}: {status}" for stream, status in waiting.items())
            raise StreamsNotActiveError(
                f"data streams are not ACTIVE ({found}). AWS makes and removes at most five at "
                "once: add or drop fewer cameras in one deployment"
            )
        pause(PAUSE_S)
        waited += PAUSE_S


def _status(kinesis: "KinesisClient", stream: str) -> str:
    try:
        found = kinesis.describe_stream_summary(StreamName=stream)
    except ClientError as error:
        if is_permanent(error):
            raise
        return str(error.response["Error"]["Code"])
    return str(found["StreamDescriptionSummary"]["StreamStatus"])
