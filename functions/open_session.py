"""Open a session: validate its input, merge the settings, lock the camera."""

import os
from datetime import datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from whosthere import settings, settings_file
from whosthere.errors import SessionInputError
from whosthere.session import deadline as deadlines
from whosthere.session.lock import open_session
from whosthere.session.open import opened, plan

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]
ENGINE = os.environ["ENGINE"]
DATA_STREAM_ARN_PREFIX = os.environ["DATA_STREAM_ARN_PREFIX"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
kinesisvideo = boto3.client("kinesisvideo")
s3 = boto3.client("s3")
scheduler = boto3.client("scheduler")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, object]:
    """Return what the state machine needs; raise SessionInputError or CameraBusyError."""
    request = event["request"]
    settings.check(request, "input", "input")
    values = settings.merge(
        settings_file.read(s3, BUCKET), request["camera"], request.get("settings", {})
    )
    session = plan(
        request,
        values,
        stack=STACK,
        engine=ENGINE,
        session_id=event["session"],
        execution=event["execution"],
        started_ms=round(datetime.fromisoformat(event["started"]).timestamp() * 1000),
    )
    video_arn = video_stream(session.camera)
    requests = open_session(table, session, values)
    deadlines.create_deadline_schedule(
        scheduler,
        session,
        group=os.environ["DEADLINES"],
        function_arn=os.environ["STOP_SESSION_ARN"],
        role_arn=os.environ["DEADLINE_ROLE_ARN"],
    )
    logger.info("session opened", extra={"session": session.id})
    return opened(
        session,
        requests=requests,
        stack=STACK,
        video_arn=video_arn,
        data_arn=f"{DATA_STREAM_ARN_PREFIX}{session.camera}",
        bucket=BUCKET,
        region=os.environ["AWS_REGION"],
    )


def video_stream(camera: str) -> str:
    """ARN of the camera's video stream, which holds its time of creation and so cannot be built."""
    try:
        found = kinesisvideo.describe_stream(StreamName=f"{STACK}-{camera}")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise SessionInputError(
                f"camera: {camera!r} is no camera of stack {STACK}; "
                "cameras are the stack's parameter Cameras"
            ) from error
        raise
    return found["StreamInfo"]["StreamARN"]
