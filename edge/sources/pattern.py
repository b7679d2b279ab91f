"""A test pattern with a clock and a frame number: a source that needs no camera."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import av
import numpy as np
from numpy.typing import NDArray

from ..media.timeline import FilmTimeline
from . import barcode, glyphs
from .samples import DecodedFrame
from .source import Source

# Eight bars from light to dark: luma and chroma levels; and the chroma of grey.
BAR_LUMA = (180, 162, 131, 112, 84, 65, 50, 35)
BAR_BLUE = (128, 44, 156, 72, 184, 100, 212, 128)
BAR_RED = (128, 142, 44, 58, 198, 212, 114, 128)
GREY = 128
# The moving square: its share of the picture's height, and its seconds from side to side.
SQUARE, CROSSING_S = 1 / 8, 5.0


class Pattern:
    """Draws numbered frames of one size."""

    def __init__(self, width: int, height: int, rate: float) -> None:
        """Draw the static part once; `rate` is in frames a second."""
        self.width, self.height, self.rate = width, height, rate
        self._still = _bars(width, height)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Return frames without end; their clock starts at 0."""
        number = 0
        while True:
            yield self.frame(number, number / self.rate)
            number += 1

    def frame(self, number: int, seconds: float) -> av.VideoFrame:
        """Draw one frame; its clock shows `seconds`."""
        picture = self._still.copy()
        luma = picture[: self.height]
        self._draw_square(luma, seconds)
        clock = datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")[:-5]
        self._write(luma, clock, 0.15)
        self._write(luma, str(number), 0.45)
        luma[-barcode.height(self.height) :] = barcode.draw_row(number, self.width)
        return av.VideoFrame.from_ndarray(picture, format="yuv420p")

    def _draw_square(self, luma: NDArray[np.uint8], seconds: float) -> None:
        side = max(2, int(self.height * SQUARE))
        way = abs(seconds / CROSSING_S % 2 - 1)
        left, top = int((self.width - side) * way), int(self.height * 0.75)
        luma[top : top + side, left : left + side] = barcode.WHITE

    def _write(self, luma: NDArray[np.uint8], text: str, top: float) -> None:
        dot = max(1, self.height // 48)
        mask = glyphs.draw_text(text, dot)[:, : self.width]
        rows, columns = mask.shape
        y, x = int(self.height * top), (self.width - columns) // 2
        area = luma[y : y + rows, x : x + columns]
        area[mask[: area.shape[0]]] = barcode.WHITE


class PatternSource(Source):
    """The test pattern as an endless source; its clock shows the time of day (UTC)."""

    name = "a test pattern"

    def __init__(self, width: int, height: int, rate: float, *, is_unpaced: bool = False) -> None:
        """Prepare the pattern; `rate` is in frames a second."""
        self.rate = rate
        self.timeline = FilmTimeline(is_unpaced=is_unpaced)
        self._pattern = Pattern(width, height, rate)

    def close(self) -> None:
        """Do nothing: the pattern holds no resource."""

    def samples(self) -> Iterator[DecodedFrame]:
        """Return frames, each drawn when it is due; can be called once."""
        begun, number = time.time(), 0
        while True:
            seconds = number / self.rate
            yield DecodedFrame(self._pattern.frame(number, begun + seconds), seconds)
            number += 1


def _bars(width: int, height: int) -> NDArray[np.uint8]:
    """Draw the static part in PyAV's yuv420p layout: luma, then both chroma planes."""
    planes = [
        np.tile(_bar_row(levels, width // part), (height // part, 1))
        for levels, part in ((BAR_LUMA, 1), (BAR_BLUE, 2), (BAR_RED, 2))
    ]
    for plane, level in zip(planes, (barcode.BLACK, GREY, GREY), strict=True):
        rows, columns = plane.shape
        plane[int(rows * 0.1) : int(rows * 0.7), int(columns * 0.1) : int(columns * 0.9)] = level
    for plane in planes[1:]:
        plane[-(barcode.height(height) // 2) :] = GREY
    return np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)


def _bar_row(levels: tuple[int, ...], width: int) -> NDArray[np.uint8]:
    return np.array(levels, dtype=np.uint8)[np.arange(width) * len(levels) // width]
