"""Custom resource: ends running sessions before their camera or the whole stack goes."""

import json
import os
import urllib.request
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.session.remove import DELETE, drain, removed_cameras
from whosthere.session.stop import stop_context
from whosthere.session.sweep import sweep

PROCESSOR_ROLE = os.environ["PROCESSOR_ROLE"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
context = stop_context(os.environ, table, logger)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> None:
    """CloudFormation waits for the answer, so it gets one whatever happens."""
    status, reason = "SUCCESS", ""
    try:
        work(event)
    except Exception as error:
        # The stack has to stay: nothing else would stop what costs money.
        logger.exception("sessions could not be ended")
        status, reason = "FAILED", f"a session could not be ended, try again: {error}"
    answer(event, status, reason)


def work(event: dict[str, Any]) -> None:
    """End the sessions of the cameras that go; with the stack also what nothing knows of."""
    cameras, with_the_stack = removed_cameras(event), event["RequestType"] == DELETE
    count = drain(context, cameras, for_good=with_the_stack)
    if with_the_stack:
        engine = event["ResourceProperties"]["Engine"]
        sweep(context, cameras, engine=engine, role_name=PROCESSOR_ROLE)
    logger.info("sessions ended", extra={"cameras": len(cameras), "count": count})


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Put the outcome where CloudFormation waits for it."""
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", "sessions"),
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
