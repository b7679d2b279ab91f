"""IAM as AWS evaluates it."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from cli.aws.target import Target
from whosthere.clock import DAY_S, now_ms

DAYS = timedelta(days=14)
MOST_PAGES = 20
DENIED = re.compile(r"is not authorized to perform:? (\S+)")


def test_no_function_was_denied_a_call(target: Target, answer: Callable[[str], None]) -> None:
    """Was a function denied a call that it makes?"""
    resource = target.session.client("cloudformation").describe_stack_resource
    group = resource(StackName=target.id, LogicalResourceId="FunctionLogs")
    pages = target.session.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=group["StackResourceDetail"]["PhysicalResourceId"],
        filterPattern='"is not authorized to perform"',
        startTime=now_ms() - DAYS.days * 1000 * DAY_S,
        PaginationConfig={"MaxItems": MOST_PAGES * 100},
    )  # fmt: skip
    lines = [event["message"] for page in pages for event in page["events"]]
    denied = Counter(found[1] for line in lines if (found := DENIED.search(line)))
    answer(f"denied in {DAYS.days} days: {dict(denied) or 'nothing'}")
    assert not denied
