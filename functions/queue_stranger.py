"""Put strangers into the review queue, with one picture a visit, and tell the owner."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from whosthere.alerts import message as alerts
from whosthere.clock import now_ms
from whosthere.ingest.kinesis import Inbox, take_in
from whosthere.ingest.record import Outcome, Received
from whosthere.metrics import ApiCallCounter
from whosthere.names import stream_name
from whosthere.session_store import Session
from whosthere.strangers.pictures import Linker, VideoStills
from whosthere.strangers.process import Studio, queue_strangers
from whosthere.strangers.store import Album
from whosthere.visits.record_sightings import Desk

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
inbox = Inbox(table, s3, BUCKET, STACK, logger)
kinesisvideo = boto3.client("kinesisvideo")
rekognition = boto3.client("rekognition")
sns = boto3.client("sns")
sts = boto3.client("sts")
publish = partial(alerts.publish, sns, os.environ["TOPIC_ARN"])
album = Album(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"])
sent: dict[str, int] = {}
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, kinesisvideo, rekognition, sns, sts)


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
    client = boto3.client("kinesis-video-archived-media", endpoint_url=endpoint)
    calls.watch(client)
    return client


linker = Linker(sts, s3_as, os.environ["PICTURE_ROLE_ARN"], BUCKET)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The records that have to come again."""
    # The lease on a stranger must outlast this invocation.
    lease_ms = context.get_remaining_time_in_millis() + 5000

    def work(session: Session, received: Sequence[Received]) -> Outcome:
        stream = stream_name(STACK, session.camera)
        still = VideoStills(stream, kinesisvideo, archived, now_ms)
        desk = Desk(table, session, publish, now_ms, lease_ms, sent)
        outcome = queue_strangers(desk, Studio(album, linker, still), received)
        return replace(outcome, counts=outcome.counts + calls.take())

    return take_in(inbox, event["Records"], work)
