"""Forget a photo that was taken out of `people/`, or a stranger whose last picture went."""

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.enrolling import Register, settle_photo
from whosthere.photos import Studio
from whosthere.strangers import Album, forget_if_gone, stranger_of

BUCKET = os.environ["BUCKET"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
rekognition = boto3.client("rekognition")
album = Album(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"])
register = Register(
    table=table,
    studio=Studio(s3, rekognition, BUCKET, os.environ["PEOPLE_COLLECTION"]),
    salt=os.environ["PERSON_SALT"],
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """What was done about the photo or the stranger."""
    key = event["detail"]["object"]["key"]
    done = settle(key)
    logger.info("deletion settled", extra={"done": done})
    return {"done": done}


def settle(key: str) -> str:
    """Make table and collections agree with what S3 holds by now."""
    stranger = stranger_of(key)
    if stranger:
        return forget_if_gone(table, album, stranger)
    return settle_photo(register, key)
