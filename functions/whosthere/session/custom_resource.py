"""Custom resources: CloudFormation sends an event and waits for an answer at a URL."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

DELETE = "Delete"
MOST_REASON = 2000  # CloudFormation takes 4 kB for the whole answer


def answer_after(
    work: Callable[[Mapping[str, Any]], object], event: Mapping[str, Any], logger: "Logger"
) -> None:
    """Do the work and answer: CloudFormation waits, so it gets an answer whatever happens."""
    status, reason = "SUCCESS", ""
    try:
        work(event)
    except Exception as error:
        # With sessions that run the stack has to stay: nothing else would stop what costs money.
        logger.exception("cameras could not be changed")
        status = "FAILED"
        reason = f"{event['LogicalResourceId']}, try again: {error}"[:MOST_REASON]
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310
        event["ResponseURL"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": ""},  # part of what CloudFormation signed
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
