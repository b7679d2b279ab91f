"""Why no image of a camera's video comes, found in the stored video itself.

Kinesis Video Streams makes images of tagged fragments only, and puts them into S3 with the rights
of whoever sends the video (developer guide, "Automated real-time image generation"). It tells
nobody when it may not. So some stored fragments are read: they have their tags, and the name of
the program that wrote them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from whosthere.alerts.texts import CANNOT_TAG, MAY_NOT_WRITE, NOTHING_TAGGED
from whosthere.clock import utc
from whosthere.session.health.records import HealthState
from whosthere.session_store import Session

if TYPE_CHECKING:
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient
    from mypy_boto3_kinesis_video_archived_media.type_defs import FragmentTypeDef
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_kinesisvideo.literals import APINameType

# Image generation becomes effective a minute or more after it is switched on (the same page).
EFFECTIVE_MS = 60_000
# Of a younger fragment the image may still be on its way.
SETTLED_MS = 20_000
# The newest fragments of so many bytes: a minute or two of video, read within a second or two.
MOST_BYTES = 16 * 1024 * 1024
MOST_FRAGMENTS = 1000  # GetMediaForFragmentList, Fragments
CHUNK_BYTES = 256 * 1024
TAG = b"AWS_KINESISVIDEO_IMAGE_GENERATION"
EDGE = b"whosthere"  # the edge's WritingApp (Matroska, Info), which the service keeps


@dataclass(frozen=True, slots=True)
class VideoSample:
    """What stored fragments show: is one tagged for images, and has the edge written them."""

    is_tagged: bool
    is_by_edge: bool


@dataclass(frozen=True, slots=True)
class FragmentReader:
    """Reads stored fragments of one stream; `archived` makes a client for an endpoint."""

    kinesisvideo: "KinesisVideoClient"
    archived: "Callable[[str], KinesisVideoArchivedMediaClient]"
    stream: str

    def sample(self, from_ms: int, to_ms: int) -> VideoSample | None:
        """Return what the newest fragments that began in that time show; None without any."""
        newest_first = sorted(
            self._listed(from_ms, to_ms), key=lambda one: one["ServerTimestamp"], reverse=True
        )
        numbers: list[str] = []
        total = 0
        for one in newest_first[:MOST_FRAGMENTS]:
            total += one["FragmentSizeInBytes"]
            if numbers and total > MOST_BYTES:
                break
            numbers.append(one["FragmentNumber"])
        return self._read(numbers) if numbers else None

    def _listed(self, from_ms: int, to_ms: int) -> "Iterator[FragmentTypeDef]":
        span = {"StartTimestamp": utc(from_ms), "EndTimestamp": utc(to_ms)}
        pages = self._client("LIST_FRAGMENTS").get_paginator("list_fragments")
        for page in pages.paginate(
            StreamName=self.stream,
            FragmentSelector={
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": span,  # type: ignore[typeddict-item]
            },
        ):
            yield from page["Fragments"]

    def _read(self, numbers: list[str]) -> VideoSample:
        answer = self._client("GET_MEDIA_FOR_FRAGMENT_LIST").get_media_for_fragment_list(
            StreamName=self.stream, Fragments=numbers
        )
        body, before, is_by_edge = answer["Payload"], b"", False
        try:
            while chunk := body.read(CHUNK_BYTES):
                seen = before + chunk
                is_by_edge = is_by_edge or EDGE in seen
                if TAG in seen:
                    return VideoSample(is_tagged=True, is_by_edge=is_by_edge)
                before = seen[-len(TAG) :]  # a name may lie across two chunks
        finally:
            body.close()
        return VideoSample(is_tagged=False, is_by_edge=is_by_edge)

    def _client(self, call: "APINameType") -> "KinesisVideoArchivedMediaClient":
        found = self.kinesisvideo.get_data_endpoint(StreamName=self.stream, APIName=call)
        return self.archived(found["DataEndpoint"])


def is_due(health: HealthState, session: Session, now_ms: int) -> bool:
    """Return whether to look why no image came: it could have for `recordsMissingSeconds`."""
    if not health.imageless:
        return False
    patience_ms = EFFECTIVE_MS + 1000 * session.settings.records_missing_seconds
    return now_ms >= max(health.next_sample, health.imageless + patience_ms)


def with_cause(
    health: HealthState, reader: FragmentReader, camera: str, now_ms: int
) -> HealthState:
    """Return the health with the reason why no image came, if there is one to be seen.

    Each further look comes after twice the time: nothing may move at a door for hours.
    """
    later = replace(health, next_sample=2 * now_ms - health.imageless)
    sample = reader.sample(health.imageless + EFFECTIVE_MS, now_ms - SETTLED_MS)
    if sample is None:
        return later
    if sample.is_tagged:
        return replace(later, problem=MAY_NOT_WRITE.format(camera=camera), note="")
    if not sample.is_by_edge:
        return replace(later, problem=CANNOT_TAG.format(camera=camera), note="")
    # Whether the sender may write shows only where something is tagged.
    is_known = health.problem == MAY_NOT_WRITE.format(camera=camera)
    problem = health.problem if is_known else ""
    return replace(later, problem=problem, note=NOTHING_TAGGED.format(camera=camera))
