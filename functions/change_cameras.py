"""Custom resources: end sessions of cameras that go, wait for streams of those that come."""

import os
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.session.custom_resource import answer_after
from whosthere.session.remove import end_sessions
from whosthere.session.stop import stop_context
from whosthere.session.streams import wait_for_cameras

PROCESSOR_ROLE = os.environ["PROCESSOR_ROLE"]
STREAMS = "Custom::StreamsActive"

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
context = stop_context(os.environ, table, logger)
kinesis = boto3.client("kinesis")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> None:
    """Do what the custom resource is there for, and answer CloudFormation."""
    answer_after(work, event, logger)


def work(event: Mapping[str, Any]) -> None:
    """Wait for data streams, or end sessions."""
    if event.get("ResourceType") == STREAMS:
        wait_for_cameras(kinesis, context.stack, event)
    else:
        end_sessions(context, event, role_name=PROCESSOR_ROLE)
