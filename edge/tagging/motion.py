"""Detects motion by comparing a picture with a slowly learned background."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The size in which pictures are compared: a face that can be recognized is larger than a cell.
COLUMNS, ROWS = 128, 72
# How fast still cells and moving cells become background: a parked car does within half a
# minute, a person who stands still does not at once.
BACKGROUND_S, MOVING_S = 8.0, 30.0
NOISE_S = 10.0
NOISE_FACTOR = 4.0
# The thresholds at sensitivity 0 and 1: change of brightness, and share of the picture.
LEVELS, SHARE = (40.0, 8.0), (0.02, 0.001)
# A cell counts if so many of the nine cells around it (itself included) changed: noise is isolated.
NEIGHBOURS = 6
# The first pictures of a scene only measure its noise: so many, or one if pictures are rare.
FIRST_PICTURES = 4
# A larger share of the picture means that a lamp was switched, not that something moves.
EVERYWHERE = 0.7
# After a longer pause between two pictures the background is outdated.
LONGEST_PAUSE_S = 30.0

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Cells = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MotionResult:
    """The cells that changed, and their share of the cells that count."""

    changed: Cells
    share: float
    is_motion: bool


class MotionDetector:
    """Compares successive pictures of one scene. Each cell's noise sets its threshold.

    A change of the overall brightness (exposure, a cloud) is removed first. Flicker and swaying
    leaves raise the noise of their own cells. A single picture that differs counts only if the next
    one differs too, unless pictures are rare (`LONELY_S`).
    """

    LONELY_S = 0.7

    def __init__(self, sensitivity: float, counted: Cells | None = None) -> None:
        """Set the thresholds from a sensitivity of 0 to 1; `counted` are the mask's cells."""
        self._level = _interpolate(LEVELS, sensitivity)
        self._least = _interpolate(SHARE, sensitivity)
        self._counted = np.ones((ROWS, COLUMNS), bool) if counted is None else counted
        self._background: Floats | None = None
        self._noise: Floats = np.zeros((ROWS, COLUMNS), np.float32)
        self._last_s = 0.0
        self._was_moving = False
        self._pictures = 0

    def detect(self, luma: Luma, seconds: float) -> MotionResult:
        """Compare a picture of ROWS by COLUMNS with the background, and update the background."""
        step_s, self._last_s = seconds - self._last_s, seconds
        picture = luma.astype(np.float32)
        if self._background is None or not 0 < step_s < LONGEST_PAUSE_S:
            return self._reset_background(picture)
        difference = self._difference(picture, self._background)
        changed = self._changed(difference)
        share = float(changed.sum() / max(1, self._counted.sum()))
        if share > EVERYWHERE:
            return self._reset_background(picture)
        self._pictures += 1
        self._learn(picture, difference, changed, step_s)
        is_rare = step_s > self.LONELY_S
        is_moving = share >= self._least and self._pictures > (1 if is_rare else FIRST_PICTURES)
        is_motion = is_moving and (self._was_moving or is_rare)
        self._was_moving = is_moving
        return MotionResult(changed, share, is_motion)

    def _reset_background(self, picture: Floats) -> MotionResult:
        self._background, self._was_moving, self._pictures = picture, False, 0
        return MotionResult(np.zeros((ROWS, COLUMNS), bool), 0.0, False)

    def _difference(self, picture: Floats, background: Floats) -> Floats:
        """Subtract the background after matching the overall brightness."""
        gain = (np.median(background) + 1) / (np.median(picture) + 1)
        difference: Floats = picture * np.float32(gain) - background
        # Remove what remains: a constant offset of the brightness.
        difference -= np.median(difference)
        return difference

    def _changed(self, difference: Floats) -> Cells:
        limit = np.maximum(self._level, NOISE_FACTOR * self._noise)
        return _without_lonely_cells((np.abs(difference) > limit) & self._counted)

    def _learn(self, picture: Floats, difference: Floats, changed: Cells, step_s: float) -> None:
        assert self._background is not None
        # The first pictures all have the same weight, whatever changed in them.
        first = 1 / (self._pictures + 1) if self._pictures <= FIRST_PICTURES else 0.0
        rate = np.where(changed, step_s / MOVING_S, step_s / BACKGROUND_S)
        # Cells that change are learned too, but slowly: else flicker would never count as noise.
        noise_rate = np.where(changed, step_s / (4 * NOISE_S), step_s / NOISE_S)
        self._background += (picture - self._background) * _clip_rate(rate, first)
        self._noise += (np.abs(difference) - self._noise) * _clip_rate(noise_rate, first)


def _clip_rate(rate: NDArray[np.float64], least: float) -> Floats:
    return np.clip(rate, least, 1.0).astype(np.float32)


def _without_lonely_cells(cells: Cells) -> Cells:
    padded = np.pad(cells, 1).astype(np.uint8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    near: Cells = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) >= NEIGHBOURS
    return near


def _interpolate(ends: tuple[float, float], sensitivity: float) -> float:
    """Return the value between both ends, on a logarithmic scale."""
    low, high = ends
    return float(low * (high / low) ** sensitivity)
