"""The rule on ended executions switched off, and functions of the stack invoked by hand."""

import json
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def without_rule(product):
    """Inside, the rule on ended executions is off."""
    events = product.client("events")
    prefix = f"{product.stack.name}-StopSessionFunction"
    (rule,) = events.list_rules(NamePrefix=prefix)["Rules"]
    events.disable_rule(Name=rule["Name"])
    try:
        yield
    finally:
        events.enable_rule(Name=rule["Name"])


def invoke(product, function, event):
    """The answer of one of the stack's functions, by its logical name."""
    client = product.client("lambda")
    names = [
        one["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for one in page["Functions"]
        if one["FunctionName"].startswith(f"{product.stack.name}-{function}-")
    ]
    (name,) = names
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def sample(name):
    """A sample event of the project."""
    return json.loads((Path(__file__).parents[3] / "events" / name).read_text())
