"""Alert the owner when a known person comes to the door: once per visit."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from whosthere import alerts, failures
from whosthere.announcing import Desk
from whosthere.batches import Delivery, deliver, raise_failure
from whosthere.clock import now_ms
from whosthere.persons import alert_persons

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]

logger = Logger()
processor = BatchProcessor(EventType.KinesisDataStreams, raise_on_entire_batch_failure=False)
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
publish = partial(alerts.publish, boto3.client("sns"), os.environ["TOPIC_ARN"])
sent: dict[str, int] = {}


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """The records that have to come again."""
    # The lease on an alert must outlast this invocation.
    lease_ms = context.get_remaining_time_in_millis() + 5000
    failed = deliver(
        table,
        STACK,
        [delivery(record) for record in event["Records"]],
        work=lambda session, received: alert_persons(
            Desk(table, session, publish, now_ms, lease_ms, sent), received
        ),
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
