"""Hourly: compare what runs with what should, and photos with rows. Events are best effort."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.people.differences import People, send_differences
from whosthere.session.stop import stop_context
from whosthere.session.sweep import sweep

CAMERAS = os.environ["CAMERAS"].split(",")
ENGINE = os.environ["ENGINE"]
PROCESSOR_ROLE = os.environ["PROCESSOR_ROLE"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
context = stop_context(os.environ, table, logger)
compare_photos = partial(
    send_differences,
    People(table, boto3.client("s3"), os.environ["BUCKET"], os.environ["PERSON_SALT"]),
    boto3.client("sqs"),
    os.environ["OBJECTS_QUEUE"],
    logger,
)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """How many locks, processors and image generations had to be freed or stopped.

    And how many photos were sent to be enrolled or forgotten, also if the sweep fails.
    """
    found = {}
    try:
        found = sweep(context, CAMERAS, engine=ENGINE, role_name=PROCESSOR_ROLE)
    finally:
        found["photos"] = compare_photos()
        logger.info("swept", extra=found)
    return found
