"""Check a session: its requests, media, engine and records; say what it does next."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from whosthere.alerts.message import publish
from whosthere.names import StackNames
from whosthere.session.check import CheckAnswer, CheckContext, Sources, check_session

logger = Logger()
# An endpoint that hangs must not take the time in which the check could still answer.
config = Config(connect_timeout=3, read_timeout=8, retries={"total_max_attempts": 2})
names = StackNames(os.environ["STACK"], os.environ["BUCKET"], os.environ["TOPIC_ARN"])
context = CheckContext(
    table=boto3.resource("dynamodb", config=config).Table(os.environ["TABLE"]),
    sources=Sources(
        kinesis=boto3.client("kinesis", config=config),
        kinesisvideo=boto3.client("kinesisvideo", config=config),
        rekognition=boto3.client("rekognition", config=config),
        s3=boto3.client("s3", config=config),
        # The service has an endpoint for each stream.
        archived_media=lambda url: boto3.client(
            "kinesis-video-archived-media", endpoint_url=url, config=config
        ),
    ),
    names=names,
    publish=partial(publish, boto3.client("sns", config=config), names.topic_arn),
    logger=logger,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> CheckAnswer:
    """Return `next`, `sleepSeconds`, `requests` and `ending` for the state machine."""
    return check_session(
        context,
        event["session"],
        event["camera"],
        failed_checks=event["failedChecks"],
        retries=sum(event["retries"]),
    )
