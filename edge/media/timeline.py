"""Times of frames: mended where the source's own are wrong, and dated by the wall clock."""

import threading
import time
from fractions import Fraction
from typing import Protocol

MS = Fraction(1, 1000)
# A longer step between two frames is a break in the source's clock, not time to wait.
LONGEST_STEP_S = 10.0


class Timeline(Protocol):
    """Dates a source's seconds."""

    def at_ms(self, seconds: float) -> int:
        """Give the wall clock of a frame, in milliseconds since 1970."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait until a frame's turn has come, or somebody says stop."""


class MendedTimes:
    """Makes times that only grow, from `start` on, out of whatever the source says."""

    def __init__(self, frame_rate: float, start: float = 0.0) -> None:
        self._step = 1 / frame_rate
        self._raw: float | None = None
        self._seconds = start - self._step

    def seconds(self, raw: float | None) -> float:
        """Give the time of the next frame, whose own time may be missing or wrong."""
        step = self._step
        if raw is not None and self._raw is not None and 0 < raw - self._raw <= LONGEST_STEP_S:
            step = raw - self._raw
        if raw is None:
            raw = 0.0 if self._raw is None else self._raw + step
        self._raw = raw
        self._seconds += step
        return self._seconds


class PlayedTime:
    """The time of a film: its first frame is now, or was when all of it has just ended."""

    def __init__(self, *, is_unpaced: bool = False, film_seconds: float = 0.0) -> None:
        self._is_unpaced = is_unpaced
        self._film_seconds = film_seconds
        self._started_ms: int | None = None
        self._started_clock = 0.0

    def at_ms(self, seconds: float) -> int:
        """Give the wall clock of a frame; the first one asked for starts the film."""
        return self._start() + round(seconds * 1000)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait for a frame's turn; without a pace it is always there."""
        self._start()
        delay = self._started_clock + seconds - time.monotonic()
        if delay > 0 and not self._is_unpaced:
            stop.wait(delay)

    def _start(self) -> int:
        if self._started_ms is None:
            self._started_clock = time.monotonic()
            # Sent faster than it plays, a film that began now would end in the future.
            ago = self._film_seconds if self._is_unpaced else 0.0
            self._started_ms = round((time.time() - ago) * 1000)
        return self._started_ms


class LiveTime:
    """Dates a live source's own clock by when its frames arrive.

    The network delays frames, never hastens them, so the least delayed frame of some
    seconds tells best how far the two clocks are apart. The distance follows that by at
    most a twentieth of the time that passes: the source's even steps stay even, and its
    drift is followed for ever. Only a jump of either clock is taken at once.
    """

    WINDOW_S, SLEW, JUMP_S = 10.0, 0.05, 3.0

    def __init__(self) -> None:
        self._distance: float | None = None
        self._target = 0.0
        self._least = float("inf")
        self._window_end = 0.0
        self._last_seconds = 0.0
        self._has_dated = False

    def arrived(self, seconds: float, wall: float) -> None:
        """Take note of when the frame of that second arrived, in seconds since 1970."""
        distance = wall - seconds
        if self._distance is None or abs(distance - self._distance) > self.JUMP_S:
            self._distance = self._target = distance
            self._begin_window(seconds)
        elif not self._has_dated:
            self._distance = self._target = min(self._distance, distance)
        self._least = min(self._least, distance)
        self._target = min(self._target, self._least)
        if seconds >= self._window_end:
            self._target = self._least
            self._begin_window(seconds)
        self._follow(seconds)

    def at_ms(self, seconds: float) -> int:
        """Give the wall clock of a frame that has arrived."""
        assert self._distance is not None, "a frame that never arrived"
        self._has_dated = True
        return round((seconds + self._distance) * 1000)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return at once: what has arrived is due."""

    def _begin_window(self, seconds: float) -> None:
        self._least, self._window_end = float("inf"), seconds + self.WINDOW_S

    def _follow(self, seconds: float) -> None:
        assert self._distance is not None
        most = max(0.0, seconds - self._last_seconds) * self.SLEW
        self._last_seconds = seconds
        self._distance += max(-most, min(most, self._target - self._distance))
