"""Failures that executions at the laptop AWS shall meet (local/patches/faults.py)."""

import json

FAULTS = "faults.json"


def meet(laptop, *faults):
    """From now on executions meet these failures and no others."""
    path = laptop.directory / FAULTS
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(faults))
    fresh.replace(path)


def first_met(laptop, execution):
    """When an execution first met a failure, in seconds since the epoch; None if it did not."""
    path = (laptop.directory / FAULTS).with_suffix(".met")
    lines = path.read_text().splitlines() if path.exists() else []
    met = [found["at"] for found in map(json.loads, lines) if found.get("execution") == execution]
    return min(met, default=None)
