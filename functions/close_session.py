"""Close a session: write its report, free the camera, tell the owner."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.session.close import NOT_STOPPED, Ending, close
from whosthere.session.deadline import disarm

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
scheduler = boto3.client("scheduler")
sns = boto3.client("sns")
stepfunctions = boto3.client("stepfunctions")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """How the session ended, in ids and numbers."""
    ending = Ending(event["endedBy"], event["error"], event["cause"])
    summary = close(
        table,
        s3,
        sns,
        stepfunctions,
        session_id=event["session"],
        ending=ending,
        now_ms=round(time.time() * 1000),
        bucket=os.environ["BUCKET"],
        topic_arn=os.environ["TOPIC_ARN"],
        stack=os.environ["STACK"],
    )
    if ending.by != NOT_STOPPED:  # else it is one more try
        disarm(scheduler, event["session"], group=os.environ["DEADLINES"])
    logger.info("session closed", extra={"session": event["session"], "by": ending.by})
    return summary
