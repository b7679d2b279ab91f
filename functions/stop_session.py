"""Stop a session: its execution's own last step, and the safeguards for one that has none."""

import os
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from whosthere.session.close import camera_asked_for, ending_of
from whosthere.session.stop import stop_context, stop_ended, stop_engine_of, stop_overdue

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
context = stop_context(os.environ, table, logger)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> Mapping[str, object]:
    """Stop the session and return how it ended.

    Takes the state machine's `{"session", "ending"}` and `{"session", "only": "engine"}`, its
    schedule's `{"overdue"}`, or "Step Functions Execution Status Change".
    """
    if event.get("only") == "engine":
        return {"stopped": stop_engine_of(context, event["session"])}
    found = _stop(event)
    logger.info("session stopped", extra=found)
    return found


def _stop(event: dict[str, Any]) -> Mapping[str, object]:
    if "overdue" in event:
        return stop_overdue(context, event["overdue"])
    if "ending" in event:
        ending, camera = ending_of(event["ending"]), camera_asked_for(event.get("request"))
        is_last = event["isLastTry"]
        return stop_ended(context, event["session"], ending, camera, is_last_try=is_last)
    detail = event["detail"]
    status = detail["status"].lower().replace("_", " ")
    found = {"Error": detail.get("error") or "", "Cause": detail.get("cause") or ""}
    ending = ending_of({"endedBy": status} | found)
    return stop_ended(context, detail["name"], ending, camera_asked_for(detail.get("input")))
