"""Decode frames of a fragment and encode them as images."""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from local.kinesisvideo import requests

# Returns the times of the selected frames, given all times in ascending milliseconds.
type FrameSelection = Callable[[list[int]], Iterable[int]]

# Enough for 8K; a header may declare a frame of gigabytes.
MAX_PIXELS = 8192 * 4320
MAX_WIDTH, MAX_HEIGHT = 3840, 2160  # of an image that is asked for (GetImages)


class UndecodableError(Exception):
    """The media holds no frame that can be decoded."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The format, quality and size of an image."""

    kind: str = "JPEG"
    quality: int = 80
    width: int | None = None
    height: int | None = None

    @property
    def content_type(self) -> str:
        """Return the MIME type."""
        return "image/jpeg" if self.kind == "JPEG" else "image/png"

    @property
    def extension(self) -> str:
        """Return the file name extension."""
        return "jpg" if self.kind == "JPEG" else "png"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the image's size for a frame's; one given side keeps the aspect ratio."""
        if self.width and self.height:
            return self.width, self.height
        if self.width:
            height, width = round(height * self.width / width), self.width
        elif self.height:
            width, height = round(width * self.height / height), self.height
        else:
            return width, height
        return min(MAX_WIDTH, max(1, width)), min(MAX_HEIGHT, max(1, height))


def image_format(parameters: Mapping[str, Any]) -> ImageFormat:
    """Return the format in a request or configuration."""
    width, height = parameters.get("WidthPixels"), parameters.get("HeightPixels")
    return ImageFormat(parameters["Format"], requests.jpeg_quality(parameters), width, height)


def encode_frames(
    film: bytes, select: FrameSelection, wanted: ImageFormat
) -> Iterator[tuple[int, bytes]]:
    """Yield the selected frames of a fragment, encoded, with their times in milliseconds.

    A chosen frame that can't be decoded is left out.
    """
    try:
        opened: Any = av.open(io.BytesIO(film), format="matroska")
        with opened as container:
            video: Any = container.streams.video[0]
            packets = [packet for packet in container.demux(video) if packet.pts is not None]
            chosen = set(select(sorted(_milliseconds(packet) for packet in packets)))
            for at, frame in _frames(video, packets, chosen):
                yield at, _encode(frame, wanted)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise UndecodableError("no frame in this media") from error


def _frames(video: Any, packets: Sequence[Any], chosen: set[int]) -> Iterator[tuple[int, Any]]:
    """Decode up to the last of the selected frames."""
    video.thread_type = "NONE"  # a second of video is not worth a pool of threads
    video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    waiting = set(chosen)
    for packet in [*packets, None]:
        if not waiting:
            return
        for frame in _decoded(video.codec_context, packet):
            at = _milliseconds(frame)
            if at in waiting:
                waiting.discard(at)
                yield at, frame


def _decoded(context: Any, packet: Any) -> list[Any]:
    try:
        return list(context.decode(packet))
    except av.FFmpegError:  # a broken frame; those around it may be whole
        return []


def _milliseconds(timed: Any) -> int:
    return int(round(timed.pts * timed.time_base * 1000))


def _encode(frame: Any, wanted: ImageFormat) -> bytes:
    """Encode a frame while other threads run: a large one takes long."""
    width, height = wanted.size(frame.width, frame.height)
    if wanted.kind == "PNG":
        return _png(frame.reformat(width=width, height=height, format="rgb24"))
    # Pillow lets go of the interpreter only while it writes to a real file.
    with tempfile.TemporaryFile() as file:
        frame.to_image(width=width, height=height).save(file, "JPEG", quality=wanted.quality)
        file.seek(0)
        return file.read()


def _png(frame: Any) -> bytes:
    context: Any = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "rgb24"
    context.time_base = Fraction(1, 1000)
    context.options = {"compression_level": "1"}  # fast rather than small
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
