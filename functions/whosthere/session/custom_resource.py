"""Custom resources: CloudFormation sends an event and waits for an answer at a URL."""

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

from whosthere.errors import loggable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

DELETE = "Delete"
# Of an answer (CloudFormation user guide, "Custom resource response objects").
MOST_BYTES = 4096
COPIED = ("StackId", "RequestId", "LogicalResourceId")


def answer_after(
    work: Callable[[Mapping[str, Any]], object], event: Mapping[str, Any], logger: "Logger"
) -> None:
    """Do the work and answer: CloudFormation waits, so it gets an answer whatever happens.

    Raises what kept an answer from being delivered, if it may be delivered later: Lambda tries
    again then, and CloudFormation keeps the first answer.
    """
    copied = {name: str(event.get(name, "")) for name in COPIED}
    answer = {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": event.get("PhysicalResourceId") or copied["LogicalResourceId"],
        **copied,
    }
    try:
        work(event)
    except Exception as error:
        # With sessions that run the stack has to stay: nothing else would stop what costs money.
        logger.exception("cameras could not be changed")
        reason = f"{copied['LogicalResourceId']}, try again: {error or type(error).__name__}"
        answer |= {"Status": "FAILED", "Reason": reason}
    try:
        _put(event.get("ResponseURL"), _fitting(answer))
    except HTTPError as error:
        if error.code >= 500:
            raise
        logger.error("the answer was refused", extra={"status": error.code})
    except ValueError as error:
        logger.error("there is no URL to answer at", extra=loggable(error))


def _fitting(answer: dict[str, Any]) -> bytes:
    """Return the answer with as much of its reason as CloudFormation takes."""
    body = json.dumps(answer)
    while len(body) > MOST_BYTES and answer["Reason"]:
        reason = answer["Reason"]
        answer = {**answer, "Reason": reason[: len(reason) * 3 // 4]}
        body = json.dumps(answer)
    return body.encode()


def _put(url: object, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310
        str(url),
        data=body,
        headers={"Content-Type": ""},  # part of what CloudFormation signed
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
