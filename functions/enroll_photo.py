"""Enrol the person whose photo was put under `people/<name>/`."""

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.enrolling import Register, settle_photo
from whosthere.photos import Studio

logger = Logger()
register = Register(
    table=boto3.resource("dynamodb").Table(os.environ["TABLE"]),
    studio=Studio(
        boto3.client("s3"),
        boto3.client("rekognition"),
        os.environ["BUCKET"],
        os.environ["PEOPLE_COLLECTION"],
    ),
    salt=os.environ["PERSON_SALT"],
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """What was done about the photo."""
    # As it is: S3 does not URL-encode keys in the events that it sends to EventBridge.
    done = settle_photo(register, event["detail"]["object"]["key"])
    logger.info("photo settled", extra={"done": done})
    return {"done": done}
