"""TagStream, UntagStream and ListTagsForStream: tags of a stream, not of its fragments."""

from typing import Any

from local.kinesisvideo import requests
from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.requests import Parameters
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

MAX_TAGS = 50


def tag(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Add tags and replace those of the same key."""
    stream = service.streams.find(*requests.stream_identifiers(parameters))

    def added(now: Stream) -> dict[str, Any]:
        tags = {**now.tags, **parameters["Tags"]}
        if len(tags) > MAX_TAGS:
            message = f"A stream has at most {MAX_TAGS} tags"
            raise KinesisVideoError("TagsPerResourceExceededLimitException", message)
        return {"tags": tags}

    service.streams.change(stream, added)
    return {}


def untag(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Remove tags by their keys; unknown keys are ignored."""
    stream = service.streams.find(*requests.stream_identifiers(parameters))
    gone = set(parameters["TagKeyList"])

    def kept(now: Stream) -> dict[str, Any]:
        return {"tags": {key: value for key, value in now.tags.items() if key not in gone}}

    service.streams.change(stream, kept)
    return {}


def listed(service: KinesisVideo, parameters: Parameters) -> dict[str, Any]:
    """Return all tags of the stream on one page."""
    return {"Tags": dict(service.streams.find(*requests.stream_identifiers(parameters)).tags)}
