"""Stop what a session left behind: its execution ended without Catch, or outlived its deadline."""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.session.close import Ending
from whosthere.session.stop import stop_ended, stop_overdue, tools_of

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
tools = tools_of(os.environ, table, boto3.client)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Takes "Step Functions Execution Status Change", or its schedule's `{"overdue": session}`."""
    if "overdue" in event:
        logger.info("session overdue", extra={"session": event["overdue"]})
        return stop_overdue(tools, event["overdue"])
    detail = event["detail"]
    status = detail["status"].lower().replace("_", " ")
    ending = Ending(status, detail.get("error") or "", detail.get("cause") or "")
    logger.info("execution ended", extra={"session": detail["name"], "by": status})
    return stop_ended(tools, detail["name"], ending, camera_of(detail.get("input")))


def camera_of(request: str | None) -> str:
    """The camera that a session was asked for, if the input says so: it may be anything."""
    try:
        camera = json.loads(request or "{}")["camera"]
    except (ValueError, TypeError, KeyError):
        return ""
    return camera[:32] if isinstance(camera, str) else ""
