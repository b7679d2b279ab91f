"""Timeouts of connections, and the backoff between attempts."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for each step, and between attempts, in seconds."""

    # PutMedia closes a connection after 45 minutes; closing it earlier ourselves loses nothing.
    connection_s: float = 40 * 60
    ack_s: float = 30
    drain_s: float = 10
    close_s: float = 2
    first_delay_s: float = 0.1
    max_delay_s: float = 10
    # So many failures before any success end the run; infinity means never.
    max_first_attempts: float = 3


class Backoff:
    """Delays that double with each failure, with jitter."""

    def __init__(self, timeouts: Timeouts) -> None:
        """Start without failures."""
        self.failures = 0
        self._timeouts = timeouts

    def reset(self) -> None:
        """Start over after a success."""
        self.failures = 0

    def next_delay_s(self) -> float:
        """Count a failure and return the delay before the next attempt."""
        doubled = self._timeouts.first_delay_s * 2.0 ** min(self.failures, 30)
        self.failures += 1
        # Jitter: cameras that were cut off together must not all return at once.
        return min(self._timeouts.max_delay_s, doubled) * (1 + random.random())
