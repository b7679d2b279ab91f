"""Measures how much of the processor this program uses."""

import time

# A shorter interval would say little; the result before it is repeated.
SHORTEST_S = 4.0


class CpuMeter:
    """Measures the CPU time of all threads, in percent of one core."""

    def __init__(self) -> None:
        """Start to measure now."""
        self._cpu_s, self._at = time.process_time(), time.monotonic()
        self._percent: float | None = None

    def percent(self) -> float:
        """Return the share of one core since the last measurement."""
        cpu_s, at = time.process_time(), time.monotonic()
        if self._percent is None or at - self._at >= SHORTEST_S:
            self._percent = 100 * (cpu_s - self._cpu_s) / max(at - self._at, 0.001)
            self._cpu_s, self._at = cpu_s, at
        return self._percent
