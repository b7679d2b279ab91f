"""Make the table and the collections agree with what lies under `people/` and `review/`."""

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alarm_metrics import alarm_metrics
from whosthere.clock import now_ms
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.sqs import ObjectEvent, SqsSource, process_sqs_batch
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler
from whosthere.strangers.decisions.reconcile import reconcile_object
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.look_alikes import LookAlikes
from whosthere.strangers.review_queue import StrangerFiles

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

BUCKET, SALT = os.environ["BUCKET"], os.environ["PERSON_SALT"]

logger = Logger()
metrics = alarm_metrics()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
rekognition = boto3.client("rekognition")
people = PeopleCollection(s3, rekognition, BUCKET, os.environ["PEOPLE_COLLECTION"])
review = Review(
    table=table,
    files=StrangerFiles(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"]),
    photos=PhotoReconciler(table, people, SALT),
    now_ms=now_ms,
    look_alikes=LookAlikes(
        table, StrangerFiles(s3, rekognition, BUCKET, os.environ["LOOK_ALIKES_COLLECTION"]), SALT
    ),
)
dead_letters = DeadLetters(s3, BUCKET, logger, metrics)
source = SqsSource(boto3.client("sqs"), os.environ["OBJECTS_QUEUE"], dead_letters)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> "PartialItemFailureResponse":
    """Reconcile the objects and return the messages that Lambda has to redeliver."""
    return process_sqs_batch(source, event["Records"], reconcile)


def reconcile(changed: ObjectEvent) -> None:
    """Make table and collections agree with what S3 holds now."""
    done = reconcile_object(review, changed)
    logger.info("object reconciled", extra={"done": done})
