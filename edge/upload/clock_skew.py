"""Compares this machine's clock with the service's, and detects when it is set."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from ..errors import ClockError

# Skews that are logged, and that end the run: AWS refuses signatures more than 5 minutes off.
WARN_S, REFUSE_S = 2.0, 300.0
# A larger step means that the clock was set; smaller ones are ordinary time synchronization.
STEP_S = 2.0
ADVICE = (
    "Pictures are dated by this clock. Set it: `timedatectl set-ntp true`, then `timedatectl` "
    "should say that it is synchronized."
)


class ClockSkewMonitor:
    """Checks Date headers; logs once when the clocks disagree, and once when they agree again."""

    def __init__(self, log: Callable[[str], None]) -> None:
        """Start with clocks that agree."""
        self.last_error = ""
        self.last_error_at = 0.0
        self.was_checked = False
        self._log = log

    def check(self, date: str | None, sent: float, received: float) -> None:
        """Check an answer's Date; `sent` and `received` are seconds since 1970 by our clock.

        An answer without a Date says nothing about the clocks. Raises ClockError when the skew is
        so large that AWS refuses signatures.
        """
        skew_s = clock_skew_s(date, sent, received)
        if skew_s is None:
            return
        self.was_checked = True
        text = f"This machine's clock is {_length(skew_s)} {'ahead of' if skew_s > 0 else 'behind'}"
        text += f" that of the service. {ADVICE}"
        if abs(skew_s) > REFUSE_S:
            raise ClockError(text)
        is_wrong = abs(skew_s) > WARN_S
        if is_wrong and not self.last_error:
            self._log(text)
        if self.last_error and not is_wrong:
            self._log("This machine's clock agrees with the service's again.")
        self.last_error, self.last_error_at = (text, received) if is_wrong else ("", 0.0)


def clock_skew_s(date: str | None, sent: float, received: float) -> float | None:
    """Return by how many seconds our clock is ahead at least; negative if it is behind.

    None if there is no Date that can be read.

    The service wrote its Date, in whole seconds, between `sent` and `received`. The result leaves
    out what that interval and the rounding can explain.
    """
    try:
        wrote = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, OverflowError):
        return None
    if sent > wrote + 1:
        return sent - (wrote + 1)
    return min(0.0, received - wrote)


class ClockStepDetector:
    """Detects that the wall clock was set, by comparing it with the monotonic clock."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the current distance between both clocks."""
        self._wall = wall
        self._monotonic = monotonic
        self._distance = wall() - monotonic()

    def step_s(self) -> float:
        """Return by how many seconds the clock was set since the last call; 0 if it was not."""
        distance = self._wall() - self._monotonic()
        moved_s, self._distance = distance - self._distance, distance
        return moved_s if abs(moved_s) > STEP_S else 0.0


def _length(seconds: float) -> str:
    seconds = abs(seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
