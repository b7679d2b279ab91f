"""Check a session: its requests, media, engine and records; say what it does next."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alerts import message as alerts
from whosthere.names import StackNames
from whosthere.session.check import CheckContext, Sources, check_session

logger = Logger()
names = StackNames(os.environ["STACK"], os.environ["BUCKET"], os.environ["TOPIC_ARN"])
context = CheckContext(
    table=boto3.resource("dynamodb").Table(os.environ["TABLE"]),
    sources=Sources(
        kinesis=boto3.client("kinesis"),
        kinesisvideo=boto3.client("kinesisvideo"),
        rekognition=boto3.client("rekognition"),
        s3=boto3.client("s3"),
        # The service has an endpoint for each stream.
        archived_media=lambda url: boto3.client("kinesis-video-archived-media", endpoint_url=url),
    ),
    names=names,
    publish=partial(alerts.publish, boto3.client("sns"), names.topic_arn),
    logger=logger,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return `next`, `sleepSeconds`, `requests` and `ending` for the state machine."""
    return check_session(
        context,
        event["session"],
        event["camera"],
        failed_checks=event["failedChecks"],
        retries=sum(event["retries"]),
    )
