"""What makes a session's records: its stream processor, or image generation. Read and stop it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.errors import ProcessorStaysError

if TYPE_CHECKING:
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_kinesisvideo.type_defs import (
        ImageGenerationConfigurationOutputTypeDef as ImageGeneration,
    )
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import DescribeStreamProcessorResponseTypeDef

STREAM_PROCESSOR = "stream-processor"
# What passes by itself. StopStreamProcessor is limited to 1 call a second for the whole account
# (Rekognition, Guidelines and quotas), and a processor that is STOPPING cannot be deleted.
TRANSIENT = (
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "ResourceInUseException",
    "InternalServerError",
    "InternalServerErrorException",
    "LimitExceededException",
    "ClientLimitExceededException",
)
# AWS does not say how long a processor stays in STARTING or STOPPING.
STOP_S = 120.0
MOST_FALSE_DELETES = 2
IS_GONE, IS_RUNNING = "GONE", "RUNNING"


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """Status of a session's engine in Rekognition's words, or IS_GONE; `message` may be empty."""

    status: str
    message: str = ""


def retry_with_backoff[Answer](
    call: Callable[[], Answer], pause: Callable[[float], None], seconds: float = 45
) -> Answer:
    """Return the call's answer; retry transient errors for at most that many seconds."""
    end = time.monotonic() + seconds
    wait = 0.5
    while True:
        try:
            return call()
        except ClientError as error:
            if _code(error) not in TRANSIENT or time.monotonic() + wait > end:
                raise
        wait = _back_off(wait, pause)


def is_closed(error: ClientError) -> bool:
    """Return whether Rekognition offers this account or Region no stream processors.

    Then every call of theirs is denied, with no message (aws/aws-cli#4409); IAM's denials
    always have one.
    """
    return _code(error) == "AccessDeniedException" and not error.response["Error"].get("Message")


def describe_processor(
    rekognition: "RekognitionClient", name: str
) -> "DescribeStreamProcessorResponseTypeDef | None":
    """Return the stream processor of that name, or None if there is none."""
    try:
        return rekognition.describe_stream_processor(Name=name)
    except ClientError as error:
        if is_closed(error) or _code(error) == "ResourceNotFoundException":
            return None
        raise


def processor_status(rekognition: "RekognitionClient", name: str) -> EngineStatus:
    """Return the status of the stream processor of that name."""
    found = describe_processor(rekognition, name)
    if found is None:
        return EngineStatus(IS_GONE)
    return EngineStatus(found["Status"], found.get("StatusMessage", ""))


def images_status(kinesisvideo: "KinesisVideoClient", stream: str, uri: str) -> EngineStatus:
    """Return IS_RUNNING while the stream's images are put under that URI, else IS_GONE."""
    found = images_of(kinesisvideo, stream)
    is_ours = found is not None and found["DestinationConfig"]["Uri"] == uri
    return EngineStatus(IS_RUNNING if is_ours else IS_GONE)


def stop_processor(
    rekognition: "RekognitionClient",
    name: str,
    *,
    seconds: float = STOP_S,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Stop and delete the stream processor of that name; return whether there was one.

    Safe to repeat. Describe has the last word: what it still finds keeps being billed. Raises
    the last ClientError when `seconds` are over, and ProcessorStaysError for one that runs on
    although Delete answered that it is gone.
    """

    def retried[Answer](call: Callable[["RekognitionClient", str], Answer]) -> Answer:
        return retry_with_backoff(lambda: call(rekognition, name), pause, seconds)

    false_deletes, slept, wait = 0, 0.0, 0.5
    if retried(describe_processor) is None:
        return False
    while True:
        retried(_stop)
        in_use = retried(_delete)
        if retried(describe_processor) is None:
            return True
        false_deletes += in_use is None
        if false_deletes == MOST_FALSE_DELETES:
            raise ProcessorStaysError("the stream processor was stopped and deleted, but is there")
        if in_use and slept >= seconds:
            raise in_use
        slept += wait
        wait = _back_off(wait, pause)


def stop_images(
    kinesisvideo: "KinesisVideoClient",
    stream: str,
    *,
    seconds: float = 45,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Switch the stream's image generation off; return whether it was on.

    A stream that does not exist any more generates none.
    """
    configuration = retry_with_backoff(lambda: images_of(kinesisvideo, stream), pause, seconds)
    if configuration is None:
        return False
    off: ImageGeneration = {**configuration, "Status": "DISABLED"}
    retry_with_backoff(
        lambda: kinesisvideo.update_image_generation_configuration(
            StreamName=stream, ImageGenerationConfiguration=off
        ),
        pause,
        seconds,
    )
    return True


def images_of(kinesisvideo: "KinesisVideoClient", stream: str) -> "ImageGeneration | None":
    """Return the stream's image generation configuration if it is on, else None."""
    try:
        found = kinesisvideo.describe_image_generation_configuration(StreamName=stream)
    except ClientError as error:
        if _code(error) == "ResourceNotFoundException":
            return None
        raise
    configuration = found.get("ImageGenerationConfiguration")
    on = configuration is not None and configuration["Status"] == "ENABLED"
    return configuration if on else None


def _stop(rekognition: "RekognitionClient", name: str) -> None:
    try:
        rekognition.stop_stream_processor(Name=name)
    except ClientError as error:
        # In use: it is not running, or already stopping; Delete decides.
        allowed = ("ResourceNotFoundException", "ResourceInUseException")
        if _code(error) not in allowed and not is_closed(error):
            raise


def _delete(rekognition: "RekognitionClient", name: str) -> ClientError | None:
    """Delete the processor; return the error if it is still in use."""
    try:
        rekognition.delete_stream_processor(Name=name)
    except ClientError as error:
        if _code(error) == "ResourceInUseException":
            return error
        if _code(error) != "ResourceNotFoundException" and not is_closed(error):
            raise
    return None


def _back_off(wait: float, pause: Callable[[float], None]) -> float:
    """Pause for about that many seconds, apart from other callers; return the next wait."""
    pause(wait * random.uniform(0.75, 1.25))  # noqa: S311
    return min(wait * 2, 6)


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
