"""Custom resources: end sessions of cameras that go, wait for streams of those that come."""

import json
import os
import urllib.request
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.names import stream_name
from whosthere.session.remove import DELETE, drain, removed_cameras
from whosthere.session.stop import stop_context
from whosthere.session.streams import wait_until_active
from whosthere.session.sweep import sweep

PROCESSOR_ROLE = os.environ["PROCESSOR_ROLE"]
STREAMS = "Custom::StreamsActive"

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
context = stop_context(os.environ, table, logger)
kinesis = boto3.client("kinesis")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> None:
    """CloudFormation waits for the answer, so it gets one whatever happens."""
    status, reason = "SUCCESS", ""
    try:
        work(event)
    except Exception as error:
        # With sessions that run the stack has to stay: nothing else would stop what costs money.
        logger.exception("cameras could not be changed")
        # CloudFormation takes 4 kB for the whole answer.
        status, reason = "FAILED", f"{event['LogicalResourceId']}, try again: {error}"[:2000]
    answer(event, status, reason)


def work(event: dict[str, Any]) -> None:
    """Do what the custom resource is there for."""
    if event.get("ResourceType") == STREAMS:
        wait_for_streams(event)
    else:
        end_sessions(event)


def wait_for_streams(event: dict[str, Any]) -> None:
    """Wait for the data streams of all cameras, unless they go."""
    if event["RequestType"] == DELETE:
        return
    cameras = event["ResourceProperties"]["Cameras"]
    wait_until_active(kinesis, [stream_name(context.stack, camera) for camera in cameras])


def end_sessions(event: dict[str, Any]) -> None:
    """End the sessions of the cameras that go; with the stack also what nothing knows of."""
    cameras, with_the_stack = removed_cameras(event), event["RequestType"] == DELETE
    count = drain(context, cameras, for_good=with_the_stack)
    if with_the_stack:
        engine = event["ResourceProperties"]["Engine"]
        sweep(context, cameras, engine=engine, role_name=PROCESSOR_ROLE)
    logger.info("sessions ended", extra={"cameras": len(cameras), "count": count})


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Put the outcome where CloudFormation waits for it."""
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310
        event["ResponseURL"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": ""},  # part of what CloudFormation signed
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
