"""UpdateNotificationConfiguration and DescribeNotificationConfiguration."""

import re
from typing import Any

from local import ministack
from local.kinesisvideo import requests
from local.kinesisvideo.errors import invalid_argument, no_data_retention
from local.kinesisvideo.requests import Parameters
from local.kinesisvideo.store.state import KinesisVideo

# Standard topics only: a FIFO topic's name ends in .fifo ("Set up notifications").
TOPIC = re.compile(rf"arn:aws:sns:{ministack.REGION}:\d{{12}}:[A-Za-z0-9_-]{{1,256}}")


def update(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Set the notifications of a stream; a request without a configuration deletes them."""
    stream = service.streams.find(*requests.stream_identifiers(parameters))
    if not stream.retention_hours:
        raise no_data_retention(stream.name)
    wanted = parameters.get("NotificationConfiguration")
    if wanted is not None and not TOPIC.fullmatch(wanted["DestinationConfig"]["Uri"]):
        raise invalid_argument("DestinationConfig.Uri must be the ARN of a standard SNS topic")
    service.configure(stream, "notifications", wanted)
    return {}


def describe(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Return the configuration requested last, also before it takes effect."""
    latest = service.streams.find(*requests.stream_identifiers(parameters)).notifications.requested
    return {"NotificationConfiguration": dict(latest)} if latest else {}
