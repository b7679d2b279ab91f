"""Repeat a measurement and print its median beside its limit."""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence

RUNS = 5


def measure(
    once: Callable[[], Mapping[str, float]], limits: Mapping[str, float], runs: int | None = None
) -> bool:
    """Print every figure of each run and the medians; return whether all are within limits."""
    found: list[Mapping[str, float]] = []
    for number in range(1, (runs or _runs()) + 1):
        figures = once()
        found.append(figures)
        print(
            f"run {number}: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
        )
    print()
    verdicts = [_judge(name, [run[name] for run in found], most) for name, most in limits.items()]
    return all(verdicts)


def _judge(name: str, values: Sequence[float], most: float) -> bool:
    median = statistics.median(values)
    verdict = "ok" if median <= most else "TOO MUCH"
    print(f"{name}: median {median:.2f} (at most {most:g}) {verdict}")
    return median <= most


def _runs() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=RUNS)
    return int(parser.parse_args().runs)
