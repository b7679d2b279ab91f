"""How long the sender waits for what, and how long between two attempts."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the sender waits for what, in seconds."""

    # PutMedia ends a connection after 45 minutes; ending it ourselves loses nothing.
    connection_s: float = 40 * 60
    ack_s: float = 30
    drain_s: float = 10
    goodbye_s: float = 2
    first_pause_s: float = 0.1
    longest_pause_s: float = 10
    # After so many without an answer nobody was ever there; infinity never says so.
    first_attempts: float = 3


class BackOff:
    """Pauses that grow while nothing comes through."""

    def __init__(self, patience: Patience) -> None:
        self.failures = 0
        self._patience = patience

    def start_over(self) -> None:
        """Take note that something has come through."""
        self.failures = 0

    def pause_s(self) -> float:
        """Take note of a failure, and say how long to wait now."""
        doubled = self._patience.first_pause_s * 2.0 ** min(self.failures, 30)
        self.failures += 1
        # Up to as much again by chance: cameras cut off together return apart.
        return min(self._patience.longest_pause_s, doubled) * (1 + random.random())
