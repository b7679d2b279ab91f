"""Check a session: its requests, media, engine and records; say what it does next."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alerts.message import publish
from whosthere.costs.prices import price_table
from whosthere.names import StackNames
from whosthere.session.check import CheckAnswer, check_session
from whosthere.session.open import SHORT_TIMEOUTS
from whosthere.session.sources import CheckContext, Sources

logger = Logger()
names = StackNames(os.environ["STACK"], os.environ["BUCKET"], os.environ["TOPIC_ARN"])
s3 = boto3.client("s3", config=SHORT_TIMEOUTS)
# An endpoint that hangs must not take the time in which the check could still answer.
context = CheckContext(
    table=boto3.resource("dynamodb", config=SHORT_TIMEOUTS).Table(os.environ["TABLE"]),
    sources=Sources(
        kinesis=boto3.client("kinesis", config=SHORT_TIMEOUTS),
        kinesisvideo=boto3.client("kinesisvideo", config=SHORT_TIMEOUTS),
        rekognition=boto3.client("rekognition", config=SHORT_TIMEOUTS),
        s3=s3,
        # The service has an endpoint for each stream.
        archived_media=lambda url: boto3.client(
            "kinesis-video-archived-media", endpoint_url=url, config=SHORT_TIMEOUTS
        ),
    ),
    names=names,
    publish=partial(publish, boto3.client("sns", config=SHORT_TIMEOUTS), names.topic_arn),
    logger=logger,
    prices=price_table(s3.meta.region_name),
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
