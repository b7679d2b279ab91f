"""UpdateImageGenerationConfiguration and DescribeImageGenerationConfiguration."""

from collections.abc import Mapping
from typing import Any

from local import ministack
from local.kinesisvideo import requests
from local.kinesisvideo.errors import invalid_argument, no_data_retention
from local.kinesisvideo.requests import Parameters
from local.kinesisvideo.store.state import KinesisVideo

MIN_SAMPLING_MS = 200


def update(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Set the image generation of a stream; a request without a configuration deletes it."""
    stream = service.streams.find(*requests.stream_identifiers(parameters))
    if not stream.retention_hours:
        raise no_data_retention(stream.name)
    wanted = parameters.get("ImageGenerationConfiguration")
    if wanted is not None:
        _check(wanted)
    service.configure(stream, "images", wanted)
    return {}


def describe(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Return the configuration requested last, also before it takes effect."""
    latest = service.streams.find(*requests.stream_identifiers(parameters)).images.requested
    return {"ImageGenerationConfiguration": dict(latest)} if latest else {}


def _check(wanted: Mapping[str, Any]) -> None:
    destination = wanted["DestinationConfig"]
    if not destination["Uri"].startswith("s3://"):
        raise invalid_argument("DestinationConfig.Uri must begin with s3://")
    if destination["DestinationRegion"] != ministack.REGION:
        raise invalid_argument("DestinationRegion must be the stream's region")
    if wanted["SamplingInterval"] < MIN_SAMPLING_MS:
        raise invalid_argument(f"SamplingInterval is less than {MIN_SAMPLING_MS}")
    requests.jpeg_quality(wanted)
