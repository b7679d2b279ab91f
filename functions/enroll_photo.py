"""Enroll the person whose photo was put under `people/<name>/`."""

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alarm_metrics import alarm_metrics
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.sqs import ObjectEvent, SqsSource, process_sqs_batch
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

BUCKET = os.environ["BUCKET"]

logger = Logger()
metrics = alarm_metrics()
s3 = boto3.client("s3")
reconciler = PhotoReconciler(
    table=boto3.resource("dynamodb").Table(os.environ["TABLE"]),
    collection=PeopleCollection(
        s3, boto3.client("rekognition"), BUCKET, os.environ["PEOPLE_COLLECTION"]
    ),
    salt=os.environ["PERSON_SALT"],
)
dead_letters = DeadLetters(s3, BUCKET, logger, metrics)
source = SqsSource(boto3.client("sqs"), os.environ["PHOTOS_QUEUE"], dead_letters)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> "PartialItemFailureResponse":
    """Reconcile the photos and return the messages that Lambda has to redeliver."""
    return process_sqs_batch(source, event["Records"], reconcile)


def reconcile(created: ObjectEvent) -> None:
    """Make table and collection agree with what S3 holds now."""
    done = reconciler.reconcile_photo(created.key)
    logger.info("photo reconciled", extra={"done": done})
