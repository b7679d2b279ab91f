"""Open a session: validate its input, merge the settings, lock the camera."""

import os
from datetime import datetime
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.people.differences import People, send_differences
from whosthere.session.deadline import create_deadline_schedule
from whosthere.session.open import SHORT_TIMEOUTS, Deployment, OpenContext, open_requested_session

logger = Logger()
# An endpoint that hangs must leave the time to say so: a function that is killed is not retried.
client = partial(boto3.client, config=SHORT_TIMEOUTS)
table = boto3.resource("dynamodb", config=SHORT_TIMEOUTS).Table(os.environ["TABLE"])
s3 = client("s3")
compare_photos = partial(
    send_differences,
    People(table, s3, os.environ["BUCKET"], os.environ["PERSON_SALT"]),
    client("sqs"),
    os.environ["OBJECTS_QUEUE"],
    logger,
)
context = OpenContext(
    table=table,
    s3=s3,
    kinesisvideo=client("kinesisvideo"),
    create_schedule=partial(
        create_deadline_schedule,
        client("scheduler"),
        group=os.environ["DEADLINES"],
        function_arn=os.environ["STOP_SESSION_ARN"],
        role_arn=os.environ["DEADLINE_ROLE_ARN"],
    ),
    deployment=Deployment(
        stack=os.environ["STACK"],
        engine=os.environ["ENGINE"],
        bucket=os.environ["BUCKET"],
        region=os.environ["AWS_REGION"],
        data_stream_arn_prefix=os.environ["DATA_STREAM_ARN_PREFIX"],
    ),
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, object]:
    """Return what the state machine needs; raise SessionInputError or CameraBusyError."""
    found = open_requested_session(
        context,
        event["request"],
        session_id=event["session"],
        execution=event["execution"],
        started_ms=round(datetime.fromisoformat(event["started"]).timestamp() * 1000),
    )
    logger.info("session opened", extra={"session": found["id"], "photos": compare_photos()})
    return found
