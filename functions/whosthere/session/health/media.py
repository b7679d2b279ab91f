"""Whether live media reaches a camera's video stream, by the service's own clock."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from whosthere.clock import utc

if TYPE_CHECKING:
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient

# A fragment is listed only when it is complete (ListFragments; typically within a second),
# so live media is as old as the fragment under way is long: 20 s at most (PutMedia).
LONGEST_SECONDS = 20.0
SPARE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Media:
    """Seconds since a stream's newest fragment ended, or None; and how long that one was.

    `new_bytes` are those of fragments that came after `counted_ms` of the check before, and
    `counted_ms` is now the start of the newest of them.
    """

    silent_seconds: float | None
    fragment_seconds: float = 0.0
    new_bytes: int = 0
    counted_ms: int = 0

    @property
    def is_live(self) -> bool:
        """Whether the next fragment can still be under way."""
        return not self.is_silent(SPARE_SECONDS + self.fragment_seconds)

    def is_silent(self, for_seconds: float) -> bool:
        """Whether no fragment ended within that many seconds."""
        return self.silent_seconds is None or self.silent_seconds > for_seconds


def newest_media(
    archived_media: "KinesisVideoArchivedMediaClient",
    stream: str,
    now_ms: int,
    since_ms: int,
    counted_ms: int = 0,
) -> Media:
    """Return the newest fragment that the stream received between `since_ms` and `now_ms`.

    `archived_media` is a kinesis-video-archived-media client at the stream's own
    LIST_FRAGMENTS endpoint. ListFragments promises no order, so all are looked at. Bytes are
    counted of fragments that began after `counted_ms`.
    """
    newest: tuple[float, float] | None = None
    counted, new_bytes = counted_ms, 0
    pages = archived_media.get_paginator("list_fragments").paginate(
        StreamName=stream,
        FragmentSelector={
            "FragmentSelectorType": "SERVER_TIMESTAMP",
            "TimestampRange": {
                "StartTimestamp": utc(since_ms),
                "EndTimestamp": utc(now_ms) + timedelta(seconds=1),
            },
        },
    )
    for page in pages:
        for fragment in page["Fragments"]:
            start = fragment["ServerTimestamp"].timestamp()
            length = fragment["FragmentLengthInMilliseconds"] / 1000
            newest = max(newest or (0.0, 0.0), (start + length, length))
            if round(1000 * start) > counted_ms:
                new_bytes += fragment.get("FragmentSizeInBytes", 0)
                counted = max(counted, round(1000 * start))
    if newest is None:
        return Media(None, counted_ms=counted_ms)
    end, length = newest
    return Media(max(0.0, now_ms / 1000 - end), length, new_bytes, counted)
