"""Alert the owner when a known person comes to the door: once per visit."""

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alarm_metrics import alarm_metrics
from whosthere.alerts.message import publish
from whosthere.clock import now_ms
from whosthere.ingest.dead_letter import DeadLetters
from whosthere.ingest.kinesis import KinesisSource, process_batch
from whosthere.metrics import ApiCallCounter
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import AlertContext, Lease

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

    from whosthere.strangers.second_look import LookAlikeSearch

logger = Logger()
metrics = alarm_metrics()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
sns = boto3.client("sns")
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, sns)
dead_letters = DeadLetters(s3, os.environ["BUCKET"], logger, metrics)
source = KinesisSource(table, os.environ["STACK"], dead_letters, calls, logger)
publisher = partial(publish, sns, os.environ["TOPIC_ARN"])
sent: dict[str, int] = {}


@cache
def look_alikes() -> "LookAlikeSearch":
    """Return the search for who was taken for somebody; most batches need none."""
    from whosthere.strangers import second_look

    env = os.environ
    collections = env["STRANGERS_COLLECTION"], env["LOOK_ALIKES_COLLECTION"]
    role = env["PICTURE_ROLE_ARN"]
    return second_look.connect(env["STACK"], env["BUCKET"], collections, role, calls.watch)


def is_look_alike(*seen: Any) -> bool:
    """Return whether a visit is that of somebody who was taken for a person."""
    return look_alikes().is_look_alike(*seen)


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> "PartialItemFailureResponse":
    """Alert for the persons in the records; return the records that Lambda redelivers."""
    lease = Lease(now_ms, context.get_remaining_time_in_millis() + 5000, sent)
    alerting = AlertContext(table, publisher, lease)
    work = partial(alert_persons, alerting, second_look=is_look_alike)
    return process_batch(source, event["Records"], work)
