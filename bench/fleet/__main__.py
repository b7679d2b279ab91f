"""An hour of many cameras: what each camera adds, and what breaks first.

Each camera has four visits of a minute, three by people and one by a stranger, at moments of its
own; its records with a face go through both handlers, a batch a second, as Lambda's mapping hands
them over. Up to ten cameras use the laptop's DynamoDB too, and both tables must count the same.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.fleet.memory_table import MemoryTable
from bench.fleet.quotas import limits
from bench.fleet.run import READ, WRITTEN, FleetCounts, simulate
from bench.owner.history import empty_table
from local.laptop import LaptopAWS
from whosthere.costs.calculator import cost_of
from whosthere.costs.prices import price_table
from whosthere.costs.usage import usage_of_calls

SIZES = (1, 10, 100, 1000)
MOST_ON_THE_LAPTOP = 10
REGION = "us-east-1"


def main() -> int:
    """Print the table of counts and that of limits; return 1 if the two tables differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, nargs="+", default=SIZES)
    parser.add_argument("--no-laptop", action="store_true", help="only the table in memory")
    arguments = parser.parse_args()
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    found = {number: _in_memory(number) for number in arguments.cameras}
    differ = 0
    for number in () if arguments.no_laptop else arguments.cameras:
        if number <= MOST_ON_THE_LAPTOP:
            differ += _on_the_laptop(number).per_call != found[number].per_call
    print_counts(list(found.values()))
    print_limits(simulate(1, MemoryTable()))
    if differ:
        print("the laptop's table and the one in memory count differently")
    return int(differ > 0)


def _in_memory(cameras: int) -> FleetCounts:
    begun = time.monotonic()
    found = simulate(cameras, MemoryTable())
    print(f"{cameras} cameras in memory: {time.monotonic() - begun:.0f} s", flush=True)
    return found


def _on_the_laptop(cameras: int) -> FleetCounts:
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder)) as laptop:
        table: Any = empty_table(laptop)
        begun = time.monotonic()
        found = simulate(cameras, table)
    print(f"{cameras} cameras on the laptop: {time.monotonic() - begun:.0f} s", flush=True)
    return found


HEAD = (
    *("cameras", "records with a face", "calls of DynamoDB", "a record", "rows read a record"),
    *("rows written a record", "alerts", "cameras with a face at once"),
)


def print_counts(found: Sequence[FleetCounts]) -> None:
    """Print a line per number of cameras, as a table of Markdown."""
    print()
    print_row(HEAD)
    print_row(["---"] * len(HEAD))
    for one in found:
        calls = one.calls_of("dynamodb")
        parts = (calls, one.per_call[READ], one.per_call[WRITTEN])
        shares = [f"{part / one.records:.2f}" for part in parts]
        print_row([one.cameras, one.records, calls, *shares, one.alerts, one.at_once])
    last = found[-1]
    print(f"\nCalls that a camera adds in such an hour (of {last.cameras}):")
    for call, number in sorted(last.per_call.items()):
        print(f"  {call}: {number / last.cameras:.1f}")
    print(f"  together ${dollars(last) / last.cameras:.6f}; its engine and video: bench.costs")
    print("\nMost capacity units of one partition in a second, by the kind of its key:")
    for kind in sorted(last.written_peaks | last.read_peaks):
        print(f"  {kind}: {last.written_peaks[kind]} written, {last.read_peaks[kind]} read")


def dollars(found: FleetCounts) -> float:
    """Return what the calls cost."""
    named = (call.partition(":") for call in found.per_call)
    names = (f"{service}:{operation.title().replace('_', '')}" for service, _, operation in named)
    calls = dict(zip(names, found.per_call.values(), strict=True))
    return cost_of(usage_of_calls(calls), price_table(REGION)).dollars


def print_limits(alone: FleetCounts) -> None:
    """Print which limit is met at how many cameras, the nearest first, as a table of Markdown."""
    print()
    print_row(("engine", "limit", "quota", "a camera takes", "cameras", "source"))
    print_row(["---"] * 6)
    for one in sorted(limits(alone), key=lambda one: one.cameras):
        print_row([one.engine, one.what, one.quota, f"{one.each:.3g}", one.cameras, one.source])


def print_row(cells: Sequence[object]) -> None:
    """Print one line of a table of Markdown."""
    shown = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    print(f"| {' | '.join(shown)} |")


if __name__ == "__main__":
    sys.exit(main())
