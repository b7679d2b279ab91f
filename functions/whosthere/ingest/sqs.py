"""SQS queues of S3's events: failed events are retried by age, and then become dead letters.

A function that S3's events invoke directly is retried only twice within three minutes, and
then the event is lost (Lambda developer guide, error handling of asynchronous invocations).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.clock import now_ms
from whosthere.ingest.dead_letter import EVENTS, DeadLetters

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

RETRY_SECONDS = 3600  # as the event source mappings of the data streams do
MAX_BACKOFF_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SqsSource:
    """The queue that a function's events come from, and the bucket of the dead letters."""

    sqs: "SQSClient"
    url: str
    s3: "S3Client"
    bucket: str
    logger: "Logger"
    clock: Callable[[], int] = now_ms


Work = Callable[[Mapping[str, Any]], object]


def process_sqs_batch(
    source: SqsSource, messages: Sequence[Mapping[str, Any]], work: Work
) -> "PartialItemFailureResponse":
    """Do the work with each message's event; return the answer that names those to redeliver.

    (Lambda developer guide, "Handling errors for an SQS event source".)
    """
    failed = [one["messageId"] for one in messages if not _is_done(source, one, work)]
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _is_done(source: SqsSource, message: Mapping[str, Any], work: Work) -> bool:
    age_s = (source.clock() - int(message["attributes"]["SentTimestamp"])) / 1000
    if age_s > 2 * RETRY_SECONDS and _receive_count(message) > 1:
        # The worker before crashed on it: store it instead of crashing again.
        return _is_dead_lettered(source, message, "no worker survived it")
    try:
        work(json.loads(message["body"]))
    except Exception as error:  # a failure concerns this event only
        kind = type(error).__name__
        facts = {"event": message["messageId"], "error": kind, "age": round(age_s)}
        # template.yaml's metric filter counts this phrase: the alarm EventsFailing.
        source.logger.warning("event failed", extra=facts)
        if age_s > RETRY_SECONDS and _is_dead_lettered(source, message, kind):
            return True
        _back_off(source, message)
        return False
    return True


def _receive_count(message: Mapping[str, Any]) -> int:
    return int(message["attributes"]["ApproximateReceiveCount"])


def _is_dead_lettered(source: SqsSource, message: Mapping[str, Any], reason: str) -> bool:
    try:
        letters = DeadLetters(source.s3, source.bucket, source.logger)
        letters.put(EVENTS, message["messageId"], reason, message)
    except (BotoCoreError, ClientError):
        return False
    return True


def _back_off(source: SqsSource, message: Mapping[str, Any]) -> None:
    """Retry sooner than the queue's visibility timeout, which outlasts an invocation."""
    seconds = min(2 ** min(_receive_count(message), 10), MAX_BACKOFF_SECONDS)
    try:
        source.sqs.change_message_visibility(
            QueueUrl=source.url,
            ReceiptHandle=message["receiptHandle"],
            VisibilityTimeout=seconds,
        )
    except (BotoCoreError, ClientError) as error:  # it is retried when the timeout is over
        source.logger.warning("event retried later", extra={"error": type(error).__name__})
