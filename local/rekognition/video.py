"""Take frames out of fragments at a steady rate (reader side)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av

# Frames are scaled so that the detector's smallest face, 80 pixels, means much the same for
# every camera, and none takes too long.
SMALLEST_SIDE, LARGEST_SIDE = 640, 1280


class CodecError(Exception):
    """The video is not H.264."""


@dataclass(slots=True)
class Sampler:
    """Chooses frames by producer time."""

    per_second: float
    _next: float | None = None

    def takes(self, time: float) -> bool:
        """Whether the frame of that time is one to analyse."""
        step = 1 / self.per_second
        due = self._next
        if due is None or abs(time - due) > 2 * step:  # the first, or after a break
            self._next = time + step
            return True
        if time < due - step / 100:
            return False
        self._next = due + step if time < due + step else time + step
        return True


@contextmanager
def opened(film: bytes) -> Iterator[tuple[float, Iterator[tuple[float, Any]]]]:
    """A fragment's length in seconds, and its frames with their offset from its start."""
    with av.open(io.BytesIO(film), "r", format="matroska") as container:
        if not container.streams.video:
            raise CodecError("no video")
        stream = container.streams.video[0]
        if stream.codec_context.name != "h264":
            raise CodecError(stream.codec_context.name)
        packets = list(container.demux(stream))
        times = [one.pts for one in packets if one.pts is not None]
        start = times[0] if times else 0
        length = max(times, default=start) - start
        yield float(length * stream.time_base), _decode(packets, start)


def _decode(packets: list[Any], start: int) -> Iterator[tuple[float, Any]]:
    for packet in packets:
        for frame in packet.decode():
            if frame.pts is not None:
                yield max(0.0, float((frame.pts - start) * frame.time_base)), frame


def rgb(frame: Any) -> tuple[tuple[int, int], bytes]:
    """A frame's size and its pixels as bare RGB."""
    longer = max(frame.width, frame.height)
    scale = min(max(longer, SMALLEST_SIDE), LARGEST_SIDE) / longer
    width, height = round(frame.width * scale), round(frame.height * scale)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    return (width, height), pixels.tobytes()
