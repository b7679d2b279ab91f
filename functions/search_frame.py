"""Search the faces of one image of a camera: the engine image-search."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alarm_metrics import alarm_metrics
from whosthere.alerts.message import publish
from whosthere.clock import now_ms
from whosthere.image_search import RETRIES, ImageSearch, search_image
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.sqs import ObjectEvent, SqsSource, process_sqs_batch
from whosthere.metrics import ApiCallCounter
from whosthere.strangers.pictures import PresignedUrls
from whosthere.strangers.review_queue import StrangerFiles
from whosthere.visits.record_sightings import AlertContext, Lease

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

BUCKET = os.environ["BUCKET"]
logger = Logger()
metrics = alarm_metrics()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3, rekognition = boto3.client("s3"), boto3.client("rekognition", config=RETRIES)
sns = boto3.client("sns")
sts = boto3.client("sts")
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, rekognition, sns, sts)
letters = DeadLetters(s3, BUCKET, logger, metrics)
source = SqsSource(boto3.client("sqs"), os.environ["FRAMES_QUEUE"], letters)
images = ImageSearch(
    stack=os.environ["STACK"],
    files=StrangerFiles(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"]),
    urls=PresignedUrls(sts, os.environ["PICTURE_ROLE_ARN"], BUCKET),
    people_collection=os.environ["PEOPLE_COLLECTION"],
    calls=calls,
    dead_letters=letters,
    look_alikes_collection=os.environ["LOOK_ALIKES_COLLECTION"],
)
publisher = partial(publish, sns, os.environ["TOPIC_ARN"])
sent: dict[str, int] = {}


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> "PartialItemFailureResponse":
    """Search the images that the messages name; return the messages that SQS redelivers."""
    lease = Lease(now_ms, context.get_remaining_time_in_millis() + 5000, sent)
    alerting = AlertContext(table, publisher, lease)
    return process_sqs_batch(source, event["Records"], partial(search, alerting))


def search(alerting: AlertContext, created: ObjectEvent) -> None:
    """Search the image that S3's event `Object Created` names."""
    done = search_image(images, alerting, created.key, created.stream_arn_prefix)
    logger.info("image settled", extra={"done": done})
