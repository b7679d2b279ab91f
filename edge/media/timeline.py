"""Timestamps: repairs those of a source and converts them to the wall clock."""

import threading
import time
from collections import deque
from fractions import Fraction
from typing import Protocol

MS = Fraction(1, 1000)
# A longer step between two frames is a jump of the source's clock, not a pause.
LONGEST_STEP_S = 10.0
# H.264 and HEVC reorder at most 16 frames; the frame rate that a source states may be wrong.
REORDER_FRAMES, LEAST_REORDER_S = 16, 1.0


class Timeline(Protocol):
    """Converts a source's seconds to the wall clock."""

    def at_ms(self, seconds: float) -> int:
        """Return the wall clock of a frame, in milliseconds since 1970."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait until a frame is due or `stop` is set."""


class PacketTimestamps:
    """Repairs the presentation times of packets, which come in the order of decoding.

    A B-frame comes after a frame that is shown later, so times go back a little. A missing or
    repeated time, and one after a jump of the source's clock, becomes one step after the latest.
    """

    def __init__(self, frame_rate: float) -> None:
        """Set the frame rate, for steps that are unknown; the first packet is second 0."""
        self._step = 1 / frame_rate
        self._most_back = max(LEAST_REORDER_S, REORDER_FRAMES / frame_rate)
        self._latest: float | None = None
        self._shift = 0.0
        self._given: float | None = None
        self._recent: deque[float] = deque(maxlen=2 * REORDER_FRAMES)

    def next_seconds(self, raw: float | None) -> float:
        """Return the time of the next packet; `raw` is its own timestamp, None if missing."""
        following = 0.0 if self._latest is None else self._latest + self._step
        is_repeated = raw in self._recent or raw == self._given
        self._given = raw
        if raw is None or is_repeated:
            raw = following
        if self._latest is None or not -self._most_back <= raw - self._latest <= LONGEST_STEP_S:
            self._shift += following - raw
            self._latest = raw
            self._recent.clear()
        self._latest = max(self._latest, raw)
        self._recent.append(raw)
        return raw + self._shift


class FilmTimeline:
    """The timeline of a film: it starts now, or ended now if it is sent without a pace."""

    def __init__(self, *, is_unpaced: bool = False, film_seconds: float = 0.0) -> None:
        """Set the pace; the first frame that is asked for starts the film."""
        self._is_unpaced = is_unpaced
        self._film_seconds = film_seconds
        self._started_ms: int | None = None
        self._started_clock = 0.0

    def at_ms(self, seconds: float) -> int:
        """Return the wall clock of a frame; the first call starts the film."""
        return self._start() + round(seconds * 1000)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait until a frame is due; return at once if the film has no pace."""
        self._start()
        delay = self._started_clock + seconds - time.monotonic()
        if delay > 0 and not self._is_unpaced:
            stop.wait(delay)

    def _start(self) -> int:
        if self._started_ms is None:
            self._started_clock = time.monotonic()
            # A film that is sent faster than it plays would end in the future if it began now.
            ago = self._film_seconds if self._is_unpaced else 0.0
            self._started_ms = round((time.time() - ago) * 1000)
        return self._started_ms


class LiveTimeline:
    """Converts a live source's clock to the wall clock, by when its frames arrive.

    The network delays frames and never hastens them. So the least delayed frame of the last seconds
    is the best measure of the offset between the two clocks. The offset follows that measure by at
    most a twentieth of the elapsed time: the source's even steps stay even, and its drift is
    followed. If either clock jumps, the offset jumps at once.
    """

    WINDOW_S, SLEW, JUMP_S = 10.0, 0.05, 3.0

    def __init__(self) -> None:
        """Start without an offset; the first arrival sets it."""
        self._offset: float | None = None
        self._target = 0.0
        self._least_offset = float("inf")
        self._window_end = 0.0
        self._last_seconds = 0.0
        self._has_dated = False

    def on_arrival(self, seconds: float, wall: float) -> None:
        """Record when a frame arrived: its time `seconds`, `wall` in seconds since 1970."""
        offset = wall - seconds
        if self._offset is None or abs(offset - self._offset) > self.JUMP_S:
            self._offset = self._target = offset
            self._begin_window(seconds)
        elif not self._has_dated:
            self._offset = self._target = min(self._offset, offset)
        self._least_offset = min(self._least_offset, offset)
        self._target = min(self._target, self._least_offset)
        if seconds >= self._window_end:
            self._target = self._least_offset
            self._begin_window(seconds)
        self._slew(seconds)

    def at_ms(self, seconds: float) -> int:
        """Return the wall clock of a frame that has arrived."""
        assert self._offset is not None, "a frame that never arrived"
        self._has_dated = True
        return round((seconds + self._offset) * 1000)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return at once: a live frame is due when it arrives."""

    def _begin_window(self, seconds: float) -> None:
        self._least_offset, self._window_end = float("inf"), seconds + self.WINDOW_S

    def _slew(self, seconds: float) -> None:
        assert self._offset is not None
        most = max(0.0, seconds - self._last_seconds) * self.SLEW
        self._last_seconds = max(seconds, self._last_seconds)
        self._offset += max(-most, min(most, self._target - self._offset))
