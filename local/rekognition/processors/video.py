"""Decode frames of fragments at a steady rate (reader process)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av

# Frames are scaled so that the detector's smallest face, 80 pixels, means much the same for
# every camera, and none takes too long.
SMALLEST_SIDE, LARGEST_SIDE = 640, 1280
# Enough for 8K; a few bytes may declare a frame of gigabytes.
MAX_PIXELS = 8192 * 4320


class CodecError(Exception):
    """The video is not H.264."""


@dataclass(slots=True)
class FrameSampler:
    """Chooses frames by producer time."""

    per_second: float
    _next: float | None = None

    def is_due(self, time: float) -> bool:
        """Return whether the frame of that time is to be analyzed."""
        step = 1 / self.per_second
        due = self._next
        if due is None or abs(time - due) > 2 * step:  # the first, or after a break
            self._next = time + step
            return True
        if time < due - step / 100:
            return False
        self._next = due + step if time < due + step else time + step
        return True


@dataclass(frozen=True, slots=True)
class OpenFragment:
    """An opened fragment; offsets are seconds from its cluster's timecode."""

    offsets: list[float]  # of all frames, in order of display
    _packets: list[Any]
    _timecode: int

    @property
    def seconds(self) -> float:
        """Return the time from the first frame to the last."""
        return self.offsets[-1] - self.offsets[0] if self.offsets else 0.0

    def frames(self) -> Iterator[tuple[float, Any]]:
        """Yield the decoded frames with their offsets."""
        for packet in self._packets:
            for frame in packet.decode():
                offset = _offset(frame, self._timecode)
                if offset is not None:
                    yield offset, frame


@contextmanager
def open_fragment(film: bytes, timecode: int) -> Iterator[OpenFragment]:
    """Open a fragment, given the timecode of its cluster."""
    with av.open(io.BytesIO(film), "r", format="matroska") as container:
        if not container.streams.video:
            raise CodecError("no video")
        stream = container.streams.video[0]
        if stream.codec_context.name != "h264":
            raise CodecError(stream.codec_context.name)
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        packets = list(container.demux(stream))
        offsets = {_offset(one, timecode) for one in packets}
        yield OpenFragment(sorted(one for one in offsets if one is not None), packets, timecode)


def _offset(frame: Any, timecode: int) -> float | None:
    """Return a frame's offset, or None without a time or before the fragment's start."""
    if frame.pts is None or frame.pts < timecode:
        return None
    return float((frame.pts - timecode) * frame.time_base)


def rgb(frame: Any) -> tuple[tuple[int, int], bytes]:
    """Return a frame's size and its pixels as raw RGB."""
    longer = max(frame.width, frame.height)
    scale = min(max(longer, SMALLEST_SIDE), LARGEST_SIDE) / longer
    width, height = round(frame.width * scale), round(frame.height * scale)
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    return (width, height), pixels.tobytes()
