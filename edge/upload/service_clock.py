"""Holds this machine's clock against the service's, and notices when it is set."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from ..errors import ClockError

# What is said, and what stops: AWS refuses signatures that are more than 5 minutes off.
SAID_S, STOPS_S = 2.0, 300.0
# A clock that moves by more in no time was set; less is how clocks are kept right.
SET_S = 2.0
WHAT_TO_DO = (
    "Pictures are dated by this clock. Set it: `timedatectl set-ntp true`, then `timedatectl` "
    "should say that it is synchronized."
)


class ServiceClock:
    """Compares Date headers with this machine's clock; says so once when they part."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._was_wrong = False

    def check(self, date: str | None, sent: float, received: float) -> None:
        """Look at an answer's Date; `sent` and `received` in seconds since 1970, by our clock.

        Raises ClockError when no signature can be accepted any more.
        """
        skew_s = skew(date, sent, received)
        text = f"This machine's clock is {_length(skew_s)} {'ahead of' if skew_s > 0 else 'behind'}"
        text += f" that of the service. {WHAT_TO_DO}"
        if abs(skew_s) > STOPS_S:
            raise ClockError(text)
        is_wrong = abs(skew_s) > SAID_S
        if is_wrong and not self._was_wrong:
            self._say(text)
        if self._was_wrong and not is_wrong:
            self._say("This machine's clock agrees with the service's again.")
        self._was_wrong = is_wrong


def skew(date: str | None, sent: float, received: float) -> float:
    """Say by how many seconds our clock is ahead at least; negative when it is behind.

    The service wrote its Date, in whole seconds, at some time between `sent` and
    `received`: only what neither that nor the rounding explains counts.
    """
    try:
        wrote = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return 0.0
    if sent > wrote + 1:
        return sent - (wrote + 1)
    return min(0.0, received - wrote)


class ClockWatch:
    """Notices that the wall clock was set, which no passing of time explains."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._distance = wall() - monotonic()

    def set_by(self) -> float:
        """Say by how many seconds the clock was set since the last call; 0 if it was not."""
        distance = self._wall() - self._monotonic()
        moved_s, self._distance = distance - self._distance, distance
        return moved_s if abs(moved_s) > SET_S else 0.0


def _length(seconds: float) -> str:
    seconds = abs(seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
