"""Images out of a fragment: exact frames, decoded and encoded as asked."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import av

from local.kinesisvideo import requests
from local.kinesisvideo.errors import KinesisVideoError

# Which of the frames, given the times of all in milliseconds, rising.
type Choice = Callable[[list[int]], Iterable[int]]


class UndecodableError(Exception):
    """The media holds no frame that can be decoded."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a frame becomes an image."""

    kind: str = "JPEG"
    quality: int = 80
    width: int | None = None
    height: int | None = None

    @property
    def content_type(self) -> str:
        """The MIME type."""
        return "image/jpeg" if self.kind == "JPEG" else "image/png"

    @property
    def extension(self) -> str:
        """What a file's name ends with."""
        return "jpg" if self.kind == "JPEG" else "png"


def read_format(asked: Mapping[str, Any]) -> Format:
    """The format in a request or configuration."""
    width, height = asked.get("WidthPixels"), asked.get("HeightPixels")
    if width and not height:
        message = "WidthPixels must be given together with HeightPixels"
        raise KinesisVideoError("ValidationException", message)
    return Format(asked["Format"], requests.jpeg_quality(asked), width, height)


def encoded(film: bytes, choice: Choice, wanted: Format) -> dict[int, bytes]:
    """The chosen frames of a film, encoded, by their times in milliseconds."""
    try:
        with av.open(io.BytesIO(film), format="matroska") as container:
            return dict(_encoded(container, choice, wanted))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise UndecodableError("no frame in this media") from error


def _encoded(container: Any, choice: Choice, wanted: Format) -> Iterator[tuple[int, bytes]]:
    stream = container.streams.video[0]
    stream.thread_type = "NONE"  # a second of video is not worth a pool of threads
    packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    times = sorted(_milliseconds(packet) for packet in packets)
    chosen = set(choice(times))
    for packet in [*packets, None]:
        if not chosen:
            return
        for frame in stream.codec_context.decode(packet):
            at = _milliseconds(frame)
            if at in chosen:
                chosen.discard(at)
                yield at, _encode(frame, wanted)


def _milliseconds(timed: Any) -> int:
    return int(round(timed.pts * timed.time_base * 1000))


def _encode(frame: Any, wanted: Format) -> bytes:
    height = wanted.height or frame.height
    width = wanted.width or round(frame.width * height / frame.height)
    image = frame.to_image(width=max(1, width), height=height)
    encoded = io.BytesIO()
    if wanted.kind == "JPEG":
        image.save(encoded, "JPEG", quality=wanted.quality)
    else:
        image.save(encoded, "PNG")
    return encoded.getvalue()
