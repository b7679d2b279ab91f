"""The archived fragments of a stream, which the reading operations return."""

from collections.abc import Sequence

from local.kinesisvideo import requests
from local.kinesisvideo.errors import invalid_argument, no_data_retention
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream


def time_range(given: requests.Parameters) -> tuple[int, int]:
    """Return start and end in milliseconds; raise an error if they are out of order."""
    start = requests.milliseconds(given["StartTimestamp"])
    end = requests.milliseconds(given["EndTimestamp"])
    if end < start:
        raise invalid_argument("EndTimestamp is before StartTimestamp")
    return start, end


def require_retention(stream: Stream) -> None:
    """Raise the error of a stream without retention."""
    if not stream.retention_hours:
        raise no_data_retention(stream.name)


def each_time_once(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Return the fragments by producer timestamp; of equal ones the first to arrive."""
    first: dict[int, Fragment] = {}
    for fragment in sorted(fragments, key=lambda one: one.arrival):
        first.setdefault(fragment.producer_ms, fragment)
    return [fragment for _, fragment in sorted(first.items())]


def between(
    service: KinesisVideo, stream: Stream, selector: Selector, start: int, end: int
) -> list[Fragment]:
    """Return the archived fragments that start in a range, both ends included, by time."""
    found = service.store.between(stream.arn, selector, start, end)
    return [fragment for fragment in found if stream.archives(fragment.server_ms)]
