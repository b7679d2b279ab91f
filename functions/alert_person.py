"""Alert the owner when a known person comes to the door: once per visit."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.alerts import message as alerts
from whosthere.clock import now_ms
from whosthere.ingest.kinesis import Inbox, take_in
from whosthere.ingest.record import Outcome, Received
from whosthere.metrics import ApiCallCounter
from whosthere.session_store import Session
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import Desk

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
sns = boto3.client("sns")
inbox = Inbox(table, s3, os.environ["BUCKET"], os.environ["STACK"], logger)
publish = partial(alerts.publish, sns, os.environ["TOPIC_ARN"])
sent: dict[str, int] = {}
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, sns)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The records that have to come again."""
    # The lease on an alert must outlast this invocation.
    lease_ms = context.get_remaining_time_in_millis() + 5000

    def work(session: Session, received: Sequence[Received]) -> Outcome:
        desk = Desk(table, session, publish, now_ms, lease_ms, sent)
        outcome = alert_persons(desk, received)
        return replace(outcome, counts=outcome.counts + calls.take())

    return take_in(inbox, event["Records"], work)
