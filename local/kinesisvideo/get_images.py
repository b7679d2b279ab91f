"""GetImages: the frames of stored fragments at given times."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local.kinesisvideo import images, requests
from local.kinesisvideo.archived import time_range
from local.kinesisvideo.connection import Connection
from local.kinesisvideo.errors import encode, invalid_argument, no_data_retention
from local.kinesisvideo.fragments import FragmentStore
from local.kinesisvideo.header import Limits
from local.kinesisvideo.image_settings import MIN_SAMPLING_MS
from local.kinesisvideo.shelf import Fragment, Selector
from local.kinesisvideo.state import KinesisVideo
from local.kinesisvideo.streams import Stream

MAX_RANGE_MS = 300_000
MAX_PAGE = 25
DEFAULT_SAMPLING_MS = 3_000
ROUNDING_MS = 2  # a frame's time, computed elsewhere in seconds, may be off by so much
MAX_IMAGE = 6_291_456  # characters of base64

type Image = dict[str, Any]


async def get_images(
    service: KinesisVideo,
    stream: Stream,
    asked: requests.Parameters,
    connection: Connection,
) -> None:
    """One image per sampling interval of the range, a page at a time."""
    if not stream.retention_hours:
        raise no_data_retention(stream.name)
    start, end = time_range({name: asked[name] for name in ("StartTimestamp", "EndTimestamp")})
    interval = asked.get("SamplingInterval", DEFAULT_SAMPLING_MS)
    if end - start > MAX_RANGE_MS:
        raise invalid_argument(f"The range is longer than {MAX_RANGE_MS // 1000} s")
    if interval < MIN_SAMPLING_MS:
        raise invalid_argument(f"SamplingInterval is less than {MIN_SAMPLING_MS}")
    wanted = images.read_format(asked)
    first = _first(asked, start, end)
    times = list(range(first, max(end, first + 1), interval))
    size = min(asked.get("MaxResults", MAX_PAGE), MAX_PAGE)
    search = ImageSearch(
        service.store,
        stream.arn,
        Selector(asked["ImageSelectorType"]),
        interval,
        wanted,
    )
    answer: dict[str, Any] = {"Images": await asyncio.to_thread(search.find, times[:size])}
    if len(times) > size:
        answer["NextToken"] = requests.seal({"first": times[size]})
    await connection.answer(200, {"content-type": "application/json"}, encode(answer))


def _first(asked: requests.Parameters, start: int, end: int) -> int:
    token = asked.get("NextToken")
    if not token:
        return start
    first = requests.unseal(token).get("first")
    if not isinstance(first, int) or not start <= first <= end:
        raise invalid_argument("NextToken is not valid")
    return first


@dataclass(slots=True)
class ImageSearch:
    """Finds the frame of each time; decodes each fragment once."""

    store: FragmentStore
    arn: str
    selector: Selector
    interval: int
    wanted: images.Format
    _fragments: list[Fragment] = field(default_factory=list)

    def find(self, times: list[int]) -> list[Image]:
        """The image, or the reason why there is none, of each time."""
        # A fragment that covers a time may have begun well before it.
        earliest = times[0] - Limits().fragment_ms
        latest = times[-1] + self.interval
        self._fragments = self.store.between(self.arn, self.selector, earliest, latest)
        found: dict[int, Image] = {}
        for fragment, wanted in self._by_fragment(times):
            found |= self._decode(fragment, wanted)
        return [found.get(at, _failed(at, "NO_MEDIA")) for at in times]

    def _by_fragment(self, times: list[int]) -> Iterator[tuple[Fragment, list[int]]]:
        chosen: dict[str, tuple[Fragment, list[int]]] = {}
        for at in times:
            if fragment := self._covering(at) or self._following(at):
                chosen.setdefault(fragment.number, (fragment, []))[1].append(at)
        yield from chosen.values()

    def _covering(self, at: int) -> Fragment | None:
        """The newest fragment that is running at a time."""
        for fragment in reversed(self._fragments):
            start = fragment.start(self.selector)
            if start - ROUNDING_MS <= at < start + max(1, fragment.length_ms):
                return fragment
        return None

    def _following(self, at: int) -> Fragment | None:
        """The first fragment that begins before the next time is due."""
        for fragment in self._fragments:
            if at < fragment.start(self.selector) < at + self.interval:
                return fragment
        return None

    def _decode(self, fragment: Fragment, wanted: list[int]) -> dict[int, Image]:
        """The frame nearest to each time, of one fragment."""
        media = self.store.read(self.arn, fragment)
        if media is None:
            return {}
        offset = fragment.start(self.selector) - fragment.cluster_ms
        nearest: dict[int, int] = {}

        def choose(frames: list[int]) -> list[int]:
            for at in wanted:
                nearest[at] = min(frames, key=lambda frame: abs(frame + offset - at))
            return list(nearest.values())

        try:
            encoded = images.encoded(b"".join(media), choose, self.wanted)
        except images.UndecodableError:
            return {at: _failed(at, "MEDIA_ERROR") for at in wanted}
        return {at: _image(frame + offset, encoded.get(frame)) for at, frame in nearest.items()}


def _image(at: int, encoded: bytes | None) -> Image:
    content = base64.b64encode(encoded).decode() if encoded else ""
    if not content or len(content) > MAX_IMAGE:
        return _failed(at, "MEDIA_ERROR")
    return {"TimeStamp": at / 1000, "ImageContent": content}


def _failed(at: int, reason: str) -> Image:
    return {"TimeStamp": at / 1000, "Error": reason}
