"""Services that refuse a function for a while, and what its logs say meanwhile."""

import json
from contextlib import contextmanager

from local.tests.support.laptop.parts import unique


def function(product, word):
    """The configuration of the stack's function with that word in its name."""
    found = product.client("lambda").list_functions()["Functions"]
    start = f"{product.stack.name}-{word}"
    return next(one for one in found if one["FunctionName"].startswith(start))


@contextmanager
def refused(product, action, *words):
    """The functions of those words are refused an action, or several, meanwhile."""
    iam = product.client("iam")
    roles = [function(product, word)["Role"].split("/")[-1] for word in words]
    name = unique("refused")
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for role in roles:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
    try:
        yield
    finally:
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName=name)


@contextmanager
def switched_off(product, function):
    """The event source mappings of a function read nothing meanwhile."""
    client = product.client("lambda")
    uuids = [
        one["UUID"]
        for page in client.get_paginator("list_event_source_mappings").paginate()
        for one in page["EventSourceMappings"]
        if f":{product.stack.name}-{function}" in one["FunctionArn"]
    ]
    assert uuids
    for uuid in uuids:
        client.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield
    finally:
        for uuid in uuids:
            client.update_event_source_mapping(UUID=uuid, Enabled=True)


def logged(product, word, line):
    """What a function has logged with that message until now."""
    group = function(product, word)["LoggingConfig"]["LogGroup"]
    pages = product.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    texts = [event["message"] for page in pages for event in page["events"]]
    told = [json.loads(text) for text in texts if f'"{line}"' in text]
    return [one for one in told if word in one["function_name"]]
