"""Archived media: fragments listed and fetched."""

import asyncio
from typing import Any

from local.kinesisvideo import ebml, requests
from local.kinesisvideo.connection import Connection
from local.kinesisvideo.errors import encode, invalid_argument
from local.kinesisvideo.get_media import CONTENT_TYPE, EMPTY, PREFIX, seconds
from local.kinesisvideo.shelf import Fragment, Selector
from local.kinesisvideo.state import KinesisVideo
from local.kinesisvideo.streams import Stream

PAGE = 100
FRAGMENT_NOT_FOUND = 4000


async def list_fragments(
    service: KinesisVideo,
    stream: Stream,
    asked: requests.Parameters,
    connection: Connection,
) -> None:
    """The stored fragments that start in a range of time, a page at a time."""
    selector, start, end, skip = _range(asked)
    found: list[Fragment] = []
    if stream.retention_hours:
        found = service.store.between(stream.arn, selector, start, end)
    size = asked.get("MaxResults", PAGE)
    page = found[skip : skip + size]
    answer: dict[str, Any] = {"Fragments": [_described(one) for one in page]}
    if len(found) > skip + size:
        # By position after a time: what expires meanwhile must shift nothing.
        last = page[-1].start(selector)
        same = sum(1 for one in found[: skip + size] if one.start(selector) == last)
        position = {"by": selector, "start": last, "end": end, "skip": same}
        answer["NextToken"] = requests.seal(position)
    await connection.answer(200, {"content-type": "application/json"}, encode(answer))


def _range(asked: requests.Parameters) -> tuple[Selector, int, int, int]:
    if token := asked.get("NextToken"):
        try:
            known = requests.unseal(token)
            start, end, skip = (int(known[name]) for name in ("start", "end", "skip"))
            return Selector(known["by"]), start, end, max(0, skip)
        except (KeyError, TypeError, ValueError) as error:
            raise invalid_argument("NextToken is not valid") from error
    selector = asked.get("FragmentSelector")
    if selector is None:
        raise invalid_argument("FragmentSelector must be given")
    start, end = time_range(selector["TimestampRange"])
    return Selector(selector["FragmentSelectorType"]), start, end, 0


def time_range(given: requests.Parameters) -> tuple[int, int]:
    """Start and end in milliseconds, in that order."""
    start = requests.milliseconds(given["StartTimestamp"])
    end = requests.milliseconds(given["EndTimestamp"])
    if end < start:
        raise invalid_argument("EndTimestamp is before StartTimestamp")
    return start, end


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
    asked: requests.Parameters,
    connection: Connection,
) -> None:
    """The named fragments; for a missing one, tags that say so in its place."""
    await connection.begin(200, {"content-type": CONTENT_TYPE})
    for number in asked["Fragments"]:
        chunk = await asyncio.to_thread(_fragment, service, stream, number)
        if connection.gone:
            break
        await connection.write(chunk)
    await connection.end()
    connection.close()


def _fragment(service: KinesisVideo, stream: Stream, number: str) -> bytes:
    fragment = service.store.numbered(stream.arn, number)
    media = service.store.read(stream.arn, fragment) if fragment else None
    if fragment and media and stream.retention_hours:
        return _chunk(fragment, *media)
    return _missing(number)


def _chunk(fragment: Fragment, header: bytes, cluster: bytes) -> bytes:
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
