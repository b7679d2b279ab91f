"""Wakes workers when there may be records to read, so that they need not poll."""

import threading
from collections.abc import Callable


class Signal:
    """A count of wake-ups that a worker can wait to see change."""

    def __init__(self) -> None:
        """Start with no wake-ups."""
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Return the number of wake-ups so far; read it before looking for work."""
        return self._count

    def wake(self) -> None:
        """Wake all waiting workers."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until the count differs from `seen`, or for the given time."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, seconds)

    def wait_until(self, over: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition holds, checked at each wake-up, or for the given time."""
        with self._condition:
            self._condition.wait_for(over, seconds)
