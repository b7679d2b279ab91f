"""ListFragments and GetMediaForFragmentList: list and fetch archived fragments."""

import hashlib
from contextlib import closing
from typing import Any

from local.kinesisvideo import requests
from local.kinesisvideo.errors import encode, invalid_argument
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.connection_limit import ConnectionLimit
from local.kinesisvideo.media.get_media import CONTENT_TYPE, EMPTY, PREFIX, seconds
from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.store import archive
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

DEFAULT_PAGE_SIZE = 100  # when MaxResults is not given; our reading, no page states it
FRAGMENT_NOT_FOUND = 4000
MAX_READERS = 5  # GetMediaForFragmentList connections per stream (Kinesis Video Streams quotas)

# The model of this operation knows no ConnectionLimitExceededException.
READERS = ConnectionLimit("GetMediaForFragmentList", MAX_READERS, "ClientLimitExceededException")


async def list_fragments(
    service: KinesisVideo,
    stream: Stream,
    parameters: requests.Parameters,
    connection: Connection,
) -> None:
    """List the archived fragments that start in a time range, a page at a time."""
    listing = f"ListFragments {stream.arn}"
    at = (
        requests.unseal(listing, parameters["NextToken"])
        if parameters.get("NextToken")
        else _first(parameters)
    )
    found = archive.between(service, stream, Selector(at["by"]), at["start"], at["end"])
    due = sorted((_sort_key(one), one) for one in found if _sort_key(one) > at["after"])
    page = due[: parameters.get("MaxResults", DEFAULT_PAGE_SIZE)]
    answer: dict[str, Any] = {"Fragments": [_described(one) for _, one in page]}
    if len(due) > len(page):
        answer["NextToken"] = requests.seal(listing, {**at, "after": page[-1][0]})
    await connection.answer(200, {"content-type": "application/json"}, encode(answer))


def _first(parameters: requests.Parameters) -> dict[str, Any]:
    selector = parameters.get("FragmentSelector")
    if selector is None:
        raise invalid_argument("FragmentSelector must be given")
    start, end = archive.time_range(selector["TimestampRange"])
    return {"by": selector["FragmentSelectorType"], "start": start, "end": end, "after": ""}


def _sort_key(fragment: Fragment) -> str:
    """Return a sort key without meaning: AWS promises no order in a listing."""
    return hashlib.sha256(fragment.number.encode()).hexdigest()


def _described(fragment: Fragment) -> dict[str, Any]:
    return {
        "FragmentNumber": fragment.number,
        "FragmentSizeInBytes": fragment.size,
        "ProducerTimestamp": fragment.producer_ms / 1000,
        "ServerTimestamp": fragment.server_ms / 1000,
        "FragmentLengthInMilliseconds": fragment.length_ms,
    }


async def get_media_for_fragment_list(
    service: KinesisVideo,
    stream: Stream,
    parameters: requests.Parameters,
    connection: Connection,
) -> None:
    """Send the named fragments, and error tags in place of a missing one."""
    with READERS.acquire(stream), closing(connection):
        await connection.begin(200, {"content-type": CONTENT_TYPE})
        for number in parameters["Fragments"]:
            chunk = await service.on_disk(_chunk, service, stream, number)
            if connection.client_left:
                break
            await connection.write(chunk)
        await connection.end()


def _chunk(service: KinesisVideo, stream: Stream, number: str) -> bytes:
    fragment = service.store.by_number(stream.arn, number)
    media = service.store.read(stream.arn, fragment) if fragment else None
    if fragment is None or media is None or not stream.archives(fragment.server_ms):
        return _missing(number)
    header, cluster = media
    own = ebml.tags(fragment.tags) if fragment.tags else b""
    tags = [
        (f"{PREFIX}FRAGMENT_NUMBER", fragment.number),
        (f"{PREFIX}SERVER_SIDE_TIMESTAMP", seconds(fragment.server_ms)),
        (f"{PREFIX}PRODUCER_SIDE_TIMESTAMP", seconds(fragment.producer_ms)),
    ]
    return header + ebml.tags(tags) + own + cluster


def _missing(number: str) -> bytes:
    error = [
        (f"{PREFIX}FRAGMENT_NUMBER", number),
        (f"{PREFIX}EXCEPTION_ERROR_CODE", str(FRAGMENT_NOT_FOUND)),
        (f"{PREFIX}EXCEPTION_MESSAGE", "The fragment was not found"),
    ]
    return EMPTY + ebml.SEGMENT_HEAD + ebml.tags(error)
