"""Stopping what a session started: its stream processor, or image generation."""

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

# StopStreamProcessor is limited to 1 call a second for the whole account, and a
# processor that is still STOPPING cannot be deleted: both take patience.
PATIENT = (
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "ResourceInUseException",
)


def stop_processor(
    rekognition: Any,
    name: str,
    *,
    seconds: float = 45,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Stop and delete the stream processor of that name; whether there was one.

    Safe to repeat at any moment; raises the last ClientError when `seconds` are over.
    """
    if not _exists(rekognition, name):
        return False
    _patiently(lambda: _stop(rekognition, name), seconds, pause)
    _patiently(lambda: _delete(rekognition, name), seconds, pause)
    return True


def stop_images(kinesisvideo: Any, stream: str) -> bool:
    """Switch the stream's image generation off; whether it was on."""
    found = kinesisvideo.describe_image_generation_configuration(StreamName=stream)
    configuration = found.get("ImageGenerationConfiguration")
    if not configuration or configuration["Status"] == "DISABLED":
        return False
    kinesisvideo.update_image_generation_configuration(
        StreamName=stream,
        ImageGenerationConfiguration=configuration | {"Status": "DISABLED"},
    )
    return True


def _exists(rekognition: Any, name: str) -> bool:
    try:
        rekognition.describe_stream_processor(Name=name)
    except ClientError as error:
        if _code(error) == "ResourceNotFoundException":
            return False
        raise
    return True


def _stop(rekognition: Any, name: str) -> None:
    try:
        rekognition.stop_stream_processor(Name=name)
    except ClientError as error:
        # In use: it was not running or is being stopped already; deleting will tell.
        if _code(error) not in ("ResourceNotFoundException", "ResourceInUseException"):
            raise


def _delete(rekognition: Any, name: str) -> None:
    try:
        rekognition.delete_stream_processor(Name=name)
    except ClientError as error:
        if _code(error) != "ResourceNotFoundException":
            raise


def _patiently(call: Callable[[], None], seconds: float, pause: Callable[[float], None]) -> None:
    end = time.monotonic() + seconds
    wait = 0.5
    while True:
        try:
            return call()
        except ClientError as error:
            if _code(error) not in PATIENT or time.monotonic() + wait > end:
                raise
        pause(wait)
        wait = min(wait * 1.5, 5)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
