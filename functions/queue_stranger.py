"""Put strangers into the review queue, with one picture a visit, and alert the owner."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alarm_metrics import alarm_metrics
from whosthere.alerts.message import publish
from whosthere.clock import now_ms
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.metrics import ApiCallCounter
from whosthere.strangers.pictures import PresignedUrls, StoredVideo
from whosthere.strangers.process import queue_strangers
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles
from whosthere.visits.record_sightings import AlertContext, Lease

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient

STACK, BUCKET = os.environ["STACK"], os.environ["BUCKET"]
logger = Logger()
metrics = alarm_metrics()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
kinesisvideo = boto3.client("kinesisvideo")
rekognition = boto3.client("rekognition")
sns = boto3.client("sns")
sts = boto3.client("sts")
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, kinesisvideo, rekognition, sns, sts)


def _archived(endpoint: str) -> "KinesisVideoArchivedMediaClient":
    client = boto3.client("kinesis-video-archived-media", endpoint_url=endpoint)
    calls.watch(client)
    return client


source = KinesisSource(table, STACK, DeadLetters(s3, BUCKET, logger, metrics), calls, logger)
strangers = StrangerContext(
    files=StrangerFiles(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"]),
    urls=PresignedUrls(sts, os.environ["PICTURE_ROLE_ARN"], BUCKET),
    image=StoredVideo(STACK, kinesisvideo, _archived, now_ms).image,
)
publisher = partial(publish, sns, os.environ["TOPIC_ARN"])
sent: dict[str, int] = {}


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> "PartialItemFailureResponse":
    """Queue the strangers in the records; return the records that Lambda redelivers."""
    lease = Lease(now_ms, context.get_remaining_time_in_millis() + 5000, sent)
    alerting = AlertContext(table, publisher, lease)
    return process_batch(source, event["Records"], partial(queue_strangers, alerting, strangers))
