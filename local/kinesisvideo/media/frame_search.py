"""Find the frames of given times in a stream's archive."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.kinesisvideo.errors import encode
from local.kinesisvideo.mkv.header import Limits
from local.kinesisvideo.store import archive, images
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

ROUNDING_MS = 2  # the error of a frame's time that was computed in seconds
MAX_IMAGE = 6_291_456  # characters of base64 (GetImages, ImageContent)
MAX_CALL = 100_000_000  # bytes of images in one answer (Kinesis Video Streams quotas)

type ImageJson = bytes  # as JSON: that is what it becomes, and it may be large


@dataclass(slots=True)
class FrameSearch:
    """Finds the frame of each time; decodes each fragment once."""

    service: KinesisVideo
    stream: Stream
    selector: Selector
    interval: int
    wanted: images.ImageFormat
    _fragments: list[Fragment] = field(default_factory=list)

    def find(self, times: list[int]) -> list[ImageJson]:
        """Return an image or an error for each time, fewer if the images are large."""
        # A fragment that covers a time may have begun well before it.
        earliest = times[0] - Limits().fragment_ms
        latest = times[-1] + self.interval
        self._fragments = archive.between(
            self.service, self.stream, self.selector, earliest, latest
        )
        chosen = {at: self._covering(at) or self._following(at) for at in times}
        found: dict[int, ImageJson] = {}
        size = 0
        for fragment, wanted in _by_fragment(chosen):
            for at, image in self._decode(fragment, wanted).items():
                found[at] = image
                size += len(image)
            if size > MAX_CALL:
                break
        return list(_until_full(chosen, found))

    def _covering(self, at: int) -> Fragment | None:
        """Return the newest fragment that covers a time."""
        for fragment in reversed(self._fragments):
            start = fragment.start(self.selector)
            if start - ROUNDING_MS <= at < start + max(1, fragment.length_ms):
                return fragment
        return None

    def _following(self, at: int) -> Fragment | None:
        """Return the first fragment that starts before the next time."""
        for fragment in self._fragments:
            if at < fragment.start(self.selector) < at + self.interval:
                return fragment
        return None

    def _decode(self, fragment: Fragment, wanted: list[int]) -> dict[int, ImageJson]:
        """Return the image of the frame nearest to each time, from one fragment."""
        media = self.service.store.read(self.stream.arn, fragment)
        if media is None:  # expired just now
            return {at: _failed(at, "NO_MEDIA") for at in wanted}
        offset = fragment.start(self.selector) - fragment.cluster_ms
        nearest: dict[int, int] = {}

        def choose(frames: list[int]) -> list[int]:
            for at in wanted:
                nearest[at] = min(frames, key=lambda frame: abs(frame + offset - at))
            return list(nearest.values())

        encoded: dict[int, ImageJson] = {}
        try:
            for frame, image in images.encode_frames(b"".join(media), choose, self.wanted):
                encoded[frame] = _image(frame + offset, image)
        except images.UndecodableError:
            pass  # times without an image get an error below
        return {at: encoded.get(nearest.get(at, -1)) or _failed(at, "MEDIA_ERROR") for at in wanted}


def _by_fragment(chosen: dict[int, Fragment | None]) -> Iterator[tuple[Fragment, list[int]]]:
    times: dict[str, tuple[Fragment, list[int]]] = {}
    for at, fragment in chosen.items():
        if fragment:
            times.setdefault(fragment.number, (fragment, []))[1].append(at)
    yield from times.values()


def _until_full(
    chosen: dict[int, Fragment | None], found: dict[int, ImageJson]
) -> Iterator[ImageJson]:
    """Yield the images in the order of their times until the answer is full."""
    size = 0
    for at, fragment in chosen.items():
        image = found.get(at) if fragment else _failed(at, "NO_MEDIA")
        size += len(image) if image else 0
        if image is None or size > MAX_CALL:
            return
        yield image


def _image(at: int, encoded: bytes) -> ImageJson:
    if len(encoded) * 4 > MAX_IMAGE * 3:
        return _failed(at, "MEDIA_ERROR")
    return encode({"TimeStamp": at / 1000, "ImageContent": base64.b64encode(encoded).decode()})


def _failed(at: int, reason: str) -> ImageJson:
    return encode({"TimeStamp": at / 1000, "Error": reason})
