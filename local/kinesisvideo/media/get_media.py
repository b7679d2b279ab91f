"""GetMedia: send fragments as they arrive, each a Matroska document of its own."""

import asyncio
import logging
from contextlib import closing

from local.kinesisvideo import requests
from local.kinesisvideo.errors import invalid_argument
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.media.connection_limit import ConnectionLimit
from local.kinesisvideo.media.put_media import SESSIONS
from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

LOGGER = logging.getLogger(__name__)
MAX_READERS = 3  # GetMedia connections per stream (Kinesis Video Streams quotas)
# AWS documents no end. Its clients see the response end some seconds after the producer stopped
# (amazon-kinesis-video-streams-parser-library, issues 110 and 121: about three) and after 40 to 50
# minutes in any case (issues 16, 108, 120).
QUIET_SECONDS = 5.0
LONGEST_SECONDS = 45 * 60.0
POLL_SECONDS = 1.0
CONTENT_TYPE = "video/webm"
PREFIX = "AWS_KINESISVIDEO_"
# A document without media, for error tags.
EMPTY = ebml.element(ebml.EBML, ebml.element(ebml.DOC_TYPE, b"matroska"))
FRAGMENT_NOT_FOUND, INTERNAL_ERROR = 4000, 5000
ERROR_CODES = {FRAGMENT_NOT_FOUND: "FRAGMENT_NOT_FOUND", INTERNAL_ERROR: "INTERNAL_ERROR"}

READERS = ConnectionLimit("GetMedia", MAX_READERS, "ConnectionLimitExceededException")


async def get_media(
    service: KinesisVideo,
    stream: Stream,
    parameters: requests.Parameters,
    connection: Connection,
) -> None:
    """Send fragments from a start position and each new one.

    It ends when the client disconnects, when nobody has sent media for a while, and in any case
    after `LONGEST_SECONDS`.
    """
    with READERS.acquire(stream), closing(connection):
        arrival = _start(service, stream, parameters["StartSelector"])
        await connection.begin(200, {"content-type": CONTENT_TYPE})
        if arrival is None:
            await connection.write(_error(FRAGMENT_NOT_FOUND))
        else:
            await _follow_and_report_errors(service, stream, arrival, connection)
        await connection.end()


def _start(service: KinesisVideo, stream: Stream, selector: requests.Parameters) -> int | None:
    """Return the arrival number to start after, or None if the named fragment is not there."""
    kind = selector["StartSelectorType"]
    if kind == "NOW":
        return service.store.last_arrival(stream.arn)
    if kind == "EARLIEST":
        return 0
    if kind in ("FRAGMENT_NUMBER", "CONTINUATION_TOKEN"):
        named = "AfterFragmentNumber" if kind == "FRAGMENT_NUMBER" else "ContinuationToken"
        if not selector.get(named):
            raise invalid_argument(f"{kind} needs {named}")
        fragment = service.store.by_number(stream.arn, selector[named])
        return fragment.arrival if fragment else None
    if "StartTimestamp" not in selector:
        raise invalid_argument(f"{kind} needs StartTimestamp")
    start = requests.milliseconds(selector["StartTimestamp"])
    return _arrival_at(service, stream, Selector(kind), start)


def _arrival_at(service: KinesisVideo, stream: Stream, selector: Selector, start: int) -> int:
    """Return the arrival number before the first fragment that ends after a time."""
    for fragment in service.store.after(stream.arn, 0):
        if fragment.start(selector) + fragment.length_ms > start:
            return fragment.arrival - 1
    return service.store.last_arrival(stream.arn)


async def _follow_and_report_errors(
    service: KinesisVideo, stream: Stream, arrival: int, connection: Connection
) -> None:
    try:
        await _follow(service, stream, arrival, connection)
    except OSError:
        LOGGER.exception("a fragment could not be read")
        await connection.write(_error(INTERNAL_ERROR))


async def _follow(
    service: KinesisVideo, stream: Stream, arrival: int, connection: Connection
) -> None:
    clock = asyncio.get_running_loop().time
    begun = heard = clock()
    with service.store.watch(stream.arn) as news:
        while _is_open(service, stream, connection) and clock() < begun + LONGEST_SECONDS:
            news.clear()
            fragments = service.store.after(stream.arn, arrival)
            for fragment in fragments:
                arrival = fragment.arrival
                await _send(service, stream, fragment, connection)
            if fragments or SESSIONS.is_used(stream):
                heard = clock()
            if clock() > heard + QUIET_SECONDS:
                return
            if not fragments:
                await connection.wait_for(news, POLL_SECONDS)


def _is_open(service: KinesisVideo, stream: Stream, connection: Connection) -> bool:
    return not connection.client_left and service.streams.by_arn(stream.arn) is not None


async def _send(
    service: KinesisVideo, stream: Stream, fragment: Fragment, connection: Connection
) -> None:
    media = await service.on_disk(service.store.read, stream.arn, fragment)
    if media and not connection.client_left:
        behind = service.store.latest_ms(stream.arn) - fragment.server_ms
        for piece in _pieces(fragment, *media, behind):
            await connection.write(piece)


def _pieces(
    fragment: Fragment, header: bytes, cluster: bytes, behind_ms: int
) -> tuple[bytes, bytes, bytes]:
    """Return the header and tags of a fragment, its media, and the tags that follow it."""
    before = [
        (f"{PREFIX}FRAGMENT_NUMBER", fragment.number),
        (f"{PREFIX}SERVER_TIMESTAMP", seconds(fragment.server_ms)),
        (f"{PREFIX}PRODUCER_TIMESTAMP", seconds(fragment.producer_ms)),
    ]
    after = [
        (f"{PREFIX}MILLIS_BEHIND_NOW", str(max(0, behind_ms))),
        (f"{PREFIX}CONTINUATION_TOKEN", fragment.number),
    ]
    own = ebml.tags(fragment.tags) if fragment.tags else b""
    return header + ebml.tags(before) + own, cluster, ebml.tags(after)


def seconds(milliseconds: int) -> str:
    """Format a time in milliseconds as GetMedia's tags do."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _error(error_id: int) -> bytes:
    """Return the tags that end the media with an error; AWS documents the numbers only."""
    error = [
        (f"{PREFIX}ERROR_CODE", ERROR_CODES[error_id]),
        (f"{PREFIX}ERROR_ID", str(error_id)),
    ]
    return EMPTY + ebml.SEGMENT_HEAD + ebml.tags(error)
