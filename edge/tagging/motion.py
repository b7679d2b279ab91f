"""Says whether something moves: what is seen against what has been there for a while."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pictures are compared in this size: a face that can be recognised is larger than a cell.
COLUMNS, ROWS = 128, 72
# How fast what stays becomes part of the background, and how fast where it moves: a car
# that parks is forgotten after half a minute, a person who stands still is not at once.
BACKGROUND_S, MOVING_S = 8.0, 30.0
NOISE_S = 10.0
NOISE_FACTOR = 4.0
# At sensitivity 0 and 1: levels of brightness that count, and share of the picture.
LEVELS, SHARE = (40.0, 8.0), (0.02, 0.001)
# A cell counts with this many of its nine neighbours (itself too): noise comes alone.
NEIGHBOURS = 6
# Looks at a new scene that only teach what its noise is; one of them where they are rare.
FIRST_LOOKS = 4
# More than that at once is a lamp that was switched, not something that moves.
EVERYWHERE = 0.7
# A pause in the looks that makes what was seen before worth nothing.
LONGEST_PAUSE_S = 30.0

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Cells = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: the cells that changed, and which share of those that count they are."""

    changed: Cells
    share: float
    is_motion: bool


class Motion:
    """Compares looks at one scene. Thresholds follow the noise of each cell.

    A change of all brightness (exposure, a cloud) is taken out first, what flickers or
    sways raises its own cells' noise, and one look that differs is only believed when the
    next one does too, unless looks are rare (`LONELY_S`).
    """

    LONELY_S = 0.7

    def __init__(self, sensitivity: float, counted: Cells | None = None) -> None:
        self._level = _between(LEVELS, sensitivity)
        self._least = _between(SHARE, sensitivity)
        self._counted = np.ones((ROWS, COLUMNS), bool) if counted is None else counted
        self._background: Floats | None = None
        self._noise: Floats = np.zeros((ROWS, COLUMNS), np.float32)
        self._last_s = 0.0
        self._was_moving = False
        self._looks = 0

    def look(self, luma: Luma, seconds: float) -> Seen:
        """Compare a picture of ROWS by COLUMNS with the background, and learn from it."""
        step_s, self._last_s = seconds - self._last_s, seconds
        picture = luma.astype(np.float32)
        if self._background is None or not 0 < step_s < LONGEST_PAUSE_S:
            return self._begin_anew(picture)
        difference = self._difference(picture, self._background)
        changed = self._changed(difference)
        share = float(changed.sum() / max(1, self._counted.sum()))
        if share > EVERYWHERE:
            return self._begin_anew(picture)
        self._looks += 1
        self._learn(picture, difference, changed, step_s)
        is_rare = step_s > self.LONELY_S
        is_moving = share >= self._least and self._looks > (1 if is_rare else FIRST_LOOKS)
        is_motion = is_moving and (self._was_moving or is_rare)
        self._was_moving = is_moving
        return Seen(changed, share, is_motion)

    def _begin_anew(self, picture: Floats) -> Seen:
        self._background, self._was_moving, self._looks = picture, False, 0
        return Seen(np.zeros((ROWS, COLUMNS), bool), 0.0, False)

    def _difference(self, picture: Floats, background: Floats) -> Floats:
        """Take the background away, as bright as the picture is on the whole."""
        gain = (np.median(background) + 1) / (np.median(picture) + 1)
        difference: Floats = picture * np.float32(gain) - background
        # What is darker or brighter all over in spite of it: a shift, not a factor.
        difference -= np.median(difference)
        return difference

    def _changed(self, difference: Floats) -> Cells:
        limit = np.maximum(self._level, NOISE_FACTOR * self._noise)
        return _with_neighbours((np.abs(difference) > limit) & self._counted)

    def _learn(self, picture: Floats, difference: Floats, changed: Cells, step_s: float) -> None:
        assert self._background is not None
        # The first looks count as much as each other, whatever changed in them.
        first = 1 / (self._looks + 1) if self._looks <= FIRST_LOOKS else 0.0
        pace = np.where(changed, step_s / MOVING_S, step_s / BACKGROUND_S)
        # A little also where it moves, or the noise of what flickers would never be learnt.
        noise_pace = np.where(changed, step_s / (4 * NOISE_S), step_s / NOISE_S)
        self._background += (picture - self._background) * _within(pace, first)
        self._noise += (np.abs(difference) - self._noise) * _within(noise_pace, first)


def _within(pace: NDArray[np.float64], least: float) -> Floats:
    return np.clip(pace, least, 1.0).astype(np.float32)


def _with_neighbours(cells: Cells) -> Cells:
    padded = np.pad(cells, 1).astype(np.uint8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    near: Cells = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) >= NEIGHBOURS
    return near


def _between(ends: tuple[float, float], sensitivity: float) -> float:
    """Give what lies between both ends, in even factors."""
    low, high = ends
    return float(low * (high / low) ** sensitivity)
