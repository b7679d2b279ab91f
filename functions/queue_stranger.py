"""Put strangers into the review queue, with one picture a visit, and tell the owner."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from botocore.config import Config

from whosthere import alerts, failures
from whosthere.announcing import Desk
from whosthere.batches import Delivery, Outcome, deliver, raise_failure
from whosthere.clock import now_ms
from whosthere.names import stream_name
from whosthere.pictures import Linker, VideoStills
from whosthere.queueing import Studio, queue_strangers
from whosthere.records import Received
from whosthere.sessions import Session
from whosthere.strangers import Album

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]

logger = Logger()
processor = BatchProcessor(EventType.KinesisDataStreams, raise_on_entire_batch_failure=False)
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
kinesisvideo = boto3.client("kinesisvideo")
publish = partial(alerts.publish, boto3.client("sns"), os.environ["TOPIC_ARN"])
album = Album(s3, boto3.client("rekognition"), BUCKET, os.environ["STRANGERS_COLLECTION"])
sent: dict[str, int] = {}


def s3_as(credentials: dict[str, str]) -> Any:
    """An S3 client with somebody else's credentials."""
    return boto3.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(signature_version="s3v4"),
    )


def archived(endpoint: str) -> Any:
    """A client of the stream's own endpoint for stored video."""
    return boto3.client("kinesis-video-archived-media", endpoint_url=endpoint)


linker = Linker(boto3.client("sts"), s3_as, os.environ["PICTURE_ROLE_ARN"], BUCKET)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """The records that have to come again."""
    # The lease on a stranger must outlast this invocation.
    lease_ms = context.get_remaining_time_in_millis() + 5000

    def work(session: Session, received: Sequence[Received]) -> Outcome:
        stream = stream_name(STACK, session.camera)
        still = VideoStills(stream, kinesisvideo, archived, now_ms)
        desk = Desk(table, session, publish, now_ms, lease_ms, sent)
        return queue_strangers(desk, Studio(album, linker, still), received)

    failed = deliver(
        table,
        STACK,
        [delivery(record) for record in event["Records"]],
        work=work,
        set_aside=set_aside,
    )
    facts = {"records": len(event["Records"]), "failed": len(failed)}
    kinds = sorted({type(error).__name__ for error in failed.values()})
    logger.info("records read", extra=facts | {"errors": kinds})
    return process_partial_response(
        event=event,
        record_handler=lambda record: raise_failure(failed, record.kinesis.sequence_number),
        processor=processor,
        context=context,
    )


def delivery(record: dict[str, Any]) -> Delivery:
    """A record of the event, as the library takes it."""
    kinesis = record["kinesis"]
    arrived_ms = round(1000 * kinesis["approximateArrivalTimestamp"])
    return Delivery(kinesis["sequenceNumber"], kinesis["data"], arrived_ms, record)


def set_aside(record: Delivery, reason: str) -> None:
    """Keep a record that is none, whole, with the reason."""
    failures.keep(s3, BUCKET, record.id, reason, record.given)
    logger.warning("record set aside", extra={"record": record.id})
