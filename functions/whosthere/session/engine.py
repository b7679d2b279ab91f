"""Stopping what a session started: its stream processor, or image generation."""

import random
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
    "InternalServerError",
    "InternalServerErrorException",
    "LimitExceededException",
    "ClientLimitExceededException",
)


def patiently[Answer](
    call: Callable[[], Answer], pause: Callable[[float], None], seconds: float = 45
) -> Answer:
    """The call's answer; what passes by itself is waited for, at most that long."""
    end = time.monotonic() + seconds
    wait = 0.5
    while True:  # apart from others who wait for the same second
        try:
            return call()
        except ClientError as error:
            if _code(error) not in PATIENT or time.monotonic() + wait > end:
                raise
        pause(wait * random.uniform(0.75, 1.25))  # noqa: S311
        wait = min(wait * 2, 6)


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
    if not patiently(lambda: _exists(rekognition, name), pause, seconds):
        return False
    patiently(lambda: _stop(rekognition, name), pause, seconds)
    patiently(lambda: _delete(rekognition, name), pause, seconds)
    return True


def stop_images(
    kinesisvideo: Any,
    stream: str,
    *,
    seconds: float = 45,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Switch the stream's image generation off; whether it was on. Gone with its stream is off."""
    configuration = patiently(lambda: images_of(kinesisvideo, stream), pause, seconds)
    if configuration is None:
        return False
    off = configuration | {"Status": "DISABLED"}
    patiently(
        lambda: kinesisvideo.update_image_generation_configuration(
            StreamName=stream, ImageGenerationConfiguration=off
        ),
        pause,
        seconds,
    )
    return True


def images_of(kinesisvideo: Any, stream: str) -> dict[str, Any] | None:
    """The stream's image generation if it is on."""
    try:
        found = kinesisvideo.describe_image_generation_configuration(StreamName=stream)
    except ClientError as error:
        if _code(error) == "ResourceNotFoundException":
            return None
        raise
    configuration: dict[str, Any] | None = found.get("ImageGenerationConfiguration")
    on = configuration is not None and configuration["Status"] == "ENABLED"
    return configuration if on else None


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


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
