"""How late things came: counters of a session instead of a row per record.

Each latency is counted in one of the steps of a ladder, of which four double it. So a
quantile is known to within 10 %, by at most a few dozen counters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP = 2**0.25
COUNTER = "within_ms_"


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile in milliseconds, and of how many."""

    p50: int
    p95: int
    of: int


def counter(length_ms: int) -> str:
    """Name of the counter of that length; clocks that disagree can make it negative."""
    step = math.ceil(math.log(max(1, length_ms), STEP))
    return f"{COUNTER}{round(STEP**step)}"


def of_counters(counts: Mapping[str, int]) -> Latency | None:
    """The latency that the counters tell, each step by its middle; None if nothing was counted."""
    steps = sorted(
        (int(name.removeprefix(COUNTER)), number)
        for name, number in counts.items()
        if name.startswith(COUNTER)
    )
    number = sum(count for _, count in steps)
    if not number:
        return None
    return Latency(_quantile(steps, number, 0.5), _quantile(steps, number, 0.95), number)


def of_lengths(lengths_ms: Sequence[int]) -> Latency | None:
    """The latency of some lengths, exactly; None if there is none."""
    ranked = sorted(lengths_ms)
    if not ranked:
        return None
    return Latency(ranked[_rank(len(ranked), 0.5)], ranked[_rank(len(ranked), 0.95)], len(ranked))


def _rank(number: int, share: float) -> int:
    return math.ceil(share * number) - 1


def _quantile(steps: Sequence[tuple[int, int]], number: int, share: float) -> int:
    left = _rank(number, share)
    for bound, count in steps:
        if left < count:
            return round(bound / math.sqrt(STEP))
        left -= count
    raise AssertionError("the shares of the steps make up the whole")
