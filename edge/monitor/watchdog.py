"""Decides whether video gets through, and what to do if it does not."""

import time
from collections.abc import Callable
from enum import Enum

# How long a run may be unhealthy before source and connection are reopened, and before it exits.
RESTART_S, EXIT_S = 60.0, 300.0


class Remedy(Enum):
    """What to do about an unhealthy run."""

    NONE = "go on"
    RESTART = "reopen the source and the connection"
    EXIT = "exit to be restarted"


class Watchdog:
    """Checks that fragments are acknowledged within `limit_s`.

    A camera that has nothing to send is healthy as long as it captures frames. Call `check` about
    once a second. Times are of the monotonic clock.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        restart_s: float = RESTART_S,
        exit_s: float = EXIT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start healthy; `restart_s` and `exit_s` count from the moment it is unhealthy."""
        self.is_healthy = True
        self._limit_s = limit_s
        self._restart_s = restart_s
        self._exit_s = exit_s
        self._monotonic = monotonic
        self._idle_at = monotonic()
        self._unhealthy_at: float | None = None
        self._restarts = 0

    def check(self, *, captured_at: float, acked_at: float, is_waiting: bool) -> Remedy:
        """Return what to do; `is_waiting` says whether a fragment waits for its ack."""
        now = self._monotonic()
        if not is_waiting:
            self._idle_at = now
        acked_at = max(acked_at, self._idle_at)
        self.is_healthy = now - min(captured_at, acked_at) <= self._limit_s
        if self.is_healthy:
            self._unhealthy_at, self._restarts = None, 0
            return Remedy.NONE
        if self._unhealthy_at is None:
            self._unhealthy_at = now
        return self._remedy(now - self._unhealthy_at)

    def _remedy(self, unhealthy_s: float) -> Remedy:
        if unhealthy_s >= self._exit_s:
            return Remedy.EXIT
        if unhealthy_s >= self._restart_s and self._restarts == 0:
            self._restarts += 1
            return Remedy.RESTART
        return Remedy.NONE
