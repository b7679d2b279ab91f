"""GetClip: stored fragments as one MP4 file."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from typing import Any

import av

from local.kinesisvideo.archived import time_range
from local.kinesisvideo.connection import Connection
from local.kinesisvideo.errors import (
    KinesisVideoError,
    invalid_argument,
    no_data_retention,
    nothing_found,
)
from local.kinesisvideo.requests import Parameters
from local.kinesisvideo.shelf import Fragment, Selector
from local.kinesisvideo.state import KinesisVideo
from local.kinesisvideo.streams import Stream

MAX_RANGE_MS = 24 * 3_600_000
MAX_FRAGMENTS = 200
MAX_BYTES = 100 * 1024 * 1024
CODECS = {"h264", "hevc", "aac", "pcm_alaw"}


async def get_clip(
    service: KinesisVideo, stream: Stream, asked: Parameters, connection: Connection
) -> None:
    """The fragments that start in the range, re-wrapped without decoding."""
    if not stream.retention_hours:
        raise no_data_retention(stream.name)
    chosen = asked["ClipFragmentSelector"]
    start, end = time_range(chosen["TimestampRange"])
    if not start < end <= start + MAX_RANGE_MS:
        raise invalid_argument("EndTimestamp must be after StartTimestamp, by a day")
    selector = Selector(chosen["FragmentSelectorType"])
    found = service.store.between(stream.arn, selector, start, end)
    media = [service.store.read(stream.arn, one) for one in _chosen(found)]
    films = [part for part in media if part]
    if not films:
        raise nothing_found()
    clip = await asyncio.to_thread(_clip, films)
    await connection.answer(200, {"content-type": "video/mp4"}, clip)


def _chosen(fragments: Sequence[Fragment]) -> Iterator[Fragment]:
    """As many as fit, each producer timestamp once: the one that arrived first."""
    first: dict[int, Fragment] = {}
    for fragment in sorted(fragments, key=lambda one: one.arrival):
        first.setdefault(fragment.producer_ms, fragment)
    size = 0
    for number, (_, fragment) in enumerate(sorted(first.items())):
        size += fragment.size
        if number == MAX_FRAGMENTS or size > MAX_BYTES:
            return
        yield fragment


def _clip(films: Sequence[tuple[bytes, bytes]]) -> bytes:
    output = io.BytesIO()
    try:
        with av.open(output, "w", format="mp4") as clip:
            _mux(clip, [header + cluster for header, cluster in films])
    except av.FFmpegError as error:
        message = "A frame of the media could not be parsed"
        raise KinesisVideoError("InvalidMediaFrameException", message) from error
    return output.getvalue()


def _mux(clip: Any, films: Sequence[bytes]) -> None:
    """Copy every packet; the clip's time begins with the first one's."""
    targets: list[Any] = []
    zero: Any = None
    for film in films:
        opened: Any = av.open(io.BytesIO(film), format="matroska")
        with opened as source:
            if not targets:
                targets = [_target(clip, stream) for stream in source.streams]
            if len(source.streams) != len(targets):
                raise _unsupported("The tracks change within the clip")
            packets = [packet for packet in source.demux() if packet.pts is not None]
            for stream in source.streams:
                _set_decoding_times([one for one in packets if one.stream is stream])
            for packet in packets:
                zero = packet.pts * packet.time_base if zero is None else zero
                shift = round(zero / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = targets[packet.stream.index]
                clip.mux(packet)


def _set_decoding_times(packets: Sequence[Any]) -> None:
    """Matroska has only presentation times, in decoding order; MP4 needs both."""
    rising = sorted(packet.pts for packet in packets)
    late = max((at - one.pts for at, one in zip(rising, packets, strict=True)), default=0)
    for at, packet in zip(rising, packets, strict=True):
        packet.dts = at - late


def _target(clip: Any, source: Any) -> Any:
    if source.codec_context.name not in CODECS:
        raise _unsupported(f"Codec {source.codec_context.name} is not supported")
    if source.type == "video" and not source.codec_context.extradata:
        message = "The video has no codec private data"
        raise KinesisVideoError("MissingCodecPrivateDataException", message)
    return clip.add_stream_from_template(source)


def _unsupported(message: str) -> KinesisVideoError:
    return KinesisVideoError("UnsupportedStreamMediaTypeException", message)
