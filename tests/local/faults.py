"""Failures that executions at the laptop AWS shall meet (local/faults.py), and cut nets."""

import json
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def without_rule(door):
    """The net of the rule on ended executions is cut inside."""
    events = door.client("events")
    prefix = f"{door.stack.name}-StopSessionFunction"
    (rule,) = events.list_rules(NamePrefix=prefix)["Rules"]
    events.disable_rule(Name=rule["Name"])
    try:
        yield
    finally:
        events.enable_rule(Name=rule["Name"])


def invoke(door, function, event):
    """The answer of one of the stack's functions, by its logical name."""
    client = door.client("lambda")
    names = [
        one["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for one in page["Functions"]
        if one["FunctionName"].startswith(f"{door.stack.name}-{function}-")
    ]
    (name,) = names
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def sample(name):
    """A sample event of the project."""
    return json.loads((Path(__file__).parents[2] / "events" / name).read_text())
