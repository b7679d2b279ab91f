"""Stop what an execution left behind that was aborted, timed out or failed: no Catch ran."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.closing import Ending, close
from whosthere.engines import stop_images, stop_processor
from whosthere.names import processor_name, stream_name
from whosthere.sessions import read_session

STACK = os.environ["STACK"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
kinesisvideo = boto3.client("kinesisvideo")
rekognition = boto3.client("rekognition")
s3 = boto3.client("s3")
sns = boto3.client("sns")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Takes the "Step Functions Execution Status Change" event; idempotent, events come twice."""
    detail = event["detail"]
    session = read_session(table, detail["name"])
    if session is None:  # refused before it opened anything
        return {}
    # The processor's name holds the session's id: whatever runs now, only this one's can be hit.
    stop_processor(rekognition, processor_name(STACK, session.camera, session.id))
    if session.held:
        # Image generation is the camera's, so it goes off only while the lock is this session's.
        stop_images(kinesisvideo, stream_name(STACK, session.camera))
    elif session.ended_ms is not None:
        return {}
    status = detail["status"].lower().replace("_", " ")
    ending = Ending(status, detail.get("error") or "", detail.get("cause") or "")
    logger.info("session stopped", extra={"session": session.id, "by": status})
    return close(
        table,
        s3,
        sns,
        session_id=session.id,
        ending=ending,
        now_ms=round(time.time() * 1000),
        bucket=os.environ["BUCKET"],
        topic_arn=os.environ["TOPIC_ARN"],
        stack=STACK,
    )
