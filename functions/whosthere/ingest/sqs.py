"""Events that wait in a queue: each is tried again by age and, when it is too old, kept whole.

A function that S3's events would invoke directly is tried twice more within three minutes and
then forgets them (Lambda developer guide, error handling of asynchronous invocations).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.clock import now_ms
from whosthere.ingest import dead_letter as failures

GIVE_UP_SECONDS = 3600  # as the mappings of the data streams do
LONGEST_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a function's events come from; what is given up goes to the bucket."""

    sqs: Any
    url: str
    s3: Any
    bucket: str
    logger: Any
    clock: Callable[[], int] = now_ms


Work = Callable[[Mapping[str, Any]], object]


def take_in(queue: Queue, messages: Sequence[Mapping[str, Any]], work: Work) -> dict[str, Any]:
    """Do the work with each message's event; the answer names those that have to come again.

    (Lambda developer guide, "Handling errors for an SQS event source".)
    """
    failed = [message["messageId"] for message in messages if not _is_done(queue, message, work)]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _is_done(queue: Queue, message: Mapping[str, Any], work: Work) -> bool:
    age_s = (queue.clock() - int(message["attributes"]["SentTimestamp"])) / 1000
    if age_s > 2 * GIVE_UP_SECONDS and _times(message) > 1:
        # Whoever tried did not live to keep it: neither would the next one.
        return _is_kept(queue, message, "no worker survived it")
    try:
        work(json.loads(message["body"]))
    except Exception as error:  # a failure concerns this event only
        kind = type(error).__name__
        facts = {"event": message["messageId"], "error": kind, "age": round(age_s)}
        queue.logger.warning("event failed", extra=facts)
        if age_s > GIVE_UP_SECONDS and _is_kept(queue, message, kind):
            return True
        _come_again(queue, message)
        return False
    return True


def _times(message: Mapping[str, Any]) -> int:
    return int(message["attributes"]["ApproximateReceiveCount"])


def _is_kept(queue: Queue, message: Mapping[str, Any], reason: str) -> bool:
    name = message["messageId"]
    try:
        failures.keep(queue.s3, queue.bucket, name, reason, message, failures.EVENTS)
    except (BotoCoreError, ClientError):
        return False
    queue.logger.warning("record set aside", extra={"record": name})
    return True


def _come_again(queue: Queue, message: Mapping[str, Any]) -> None:
    """Let it be seen again sooner than the queue's timeout, which outlasts an invocation."""
    seconds = min(2 ** min(_times(message), 10), LONGEST_WAIT_SECONDS)
    try:
        queue.sqs.change_message_visibility(
            QueueUrl=queue.url,
            ReceiptHandle=message["receiptHandle"],
            VisibilityTimeout=seconds,
        )
    except (BotoCoreError, ClientError) as error:  # then it comes when the timeout is over
        queue.logger.warning("event comes later", extra={"error": type(error).__name__})
