"""GetClip: send archived fragments as one MP4 file."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from local.kinesisvideo.errors import invalid_argument, nothing_found
from local.kinesisvideo.media import clip
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.requests import Parameters
from local.kinesisvideo.store import archive
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

MAX_RANGE_MS = 24 * 3_600_000
MAX_FRAGMENTS = 200
MAX_BYTES = 100 * 1024 * 1024
PIECE_BYTES = 1024 * 1024


async def get_clip(
    service: KinesisVideo, stream: Stream, parameters: Parameters, connection: Connection
) -> None:
    """Join the fragments that start in the range to a file on disk and send it."""
    archive.require_retention(stream)
    chosen = parameters["ClipFragmentSelector"]
    selector = Selector(chosen["FragmentSelectorType"])
    start, end = archive.time_range(chosen["TimestampRange"])
    if not start < end <= start + MAX_RANGE_MS:
        raise invalid_argument("EndTimestamp must be after StartTimestamp, by at most a day")
    if selector is Selector.SERVER and end > service.clock() * 1000:
        raise invalid_argument("EndTimestamp must be in the past")
    found = list(_chosen(archive.between(service, stream, selector, start, end)))
    with tempfile.TemporaryFile() as file:
        if not await service.decode(clip.write, _parts(service, stream, found), file):
            raise nothing_found()
        await _send(service, file, connection)


def _chosen(fragments: Sequence[Fragment]) -> Iterator[Fragment]:
    """Yield as many fragments as fit; of equal producer timestamps the first to arrive."""
    size = 0
    for number, fragment in enumerate(archive.each_time_once(fragments)):
        size += fragment.size
        if number == MAX_FRAGMENTS or size > MAX_BYTES:
            return
        yield fragment


def _parts(
    service: KinesisVideo, stream: Stream, fragments: Sequence[Fragment]
) -> Iterator[clip.ClipPart]:
    """Read the fragments one by one; skip those that have expired meanwhile."""
    for one in fragments:
        if media := service.store.read(stream.arn, one):
            yield clip.ClipPart(*media, one.producer_ms, one.cluster_ms, one.length_ms)


async def _send(service: KinesisVideo, file: IO[bytes], connection: Connection) -> None:
    headers = {"content-type": "video/mp4", "content-length": str(file.tell())}
    file.seek(0)
    await connection.begin(200, headers)
    while not connection.client_left and (piece := await service.on_disk(file.read, PIECE_BYTES)):
        await connection.write(piece)
    await connection.end()
