"""SQS queues of S3's events: what may succeed later is retried by age, the rest is kept.

An event that no retry can mend becomes a dead letter under `failures/` at once, one that has
failed for an hour does so then. The dead-letter queue is for what killed its workers or was never
tried. A function that S3's events invoke directly is retried only twice within three minutes, and
then the event is lost (Lambda developer guide, error handling of asynchronous invocations).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from botocore.exceptions import BotoCoreError, ClientError

from whosthere.alarm_metrics import FAILED_EVENT_AGE
from whosthere.clock import now_ms
from whosthere.errors import (
    DueLaterError,
    EventError,
    WorkersKilledError,
    is_permanent,
    reason_of,
)
from whosthere.ingest.dead_letter import EVENTS, DeadLetters

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from mypy_boto3_sqs import SQSClient

RETRY_SECONDS = 3600  # as the event source mappings of the data streams do
MAX_BACKOFF_SECONDS = 60
MOST_HIDDEN_SECONDS = 900
EXPIRY = "Lifecycle Expiration"


@dataclass(frozen=True, slots=True)
class SqsSource:
    """The queue that a function's events come from, and where its dead letters go."""

    sqs: "SQSClient"
    url: str
    dead_letters: DeadLetters
    clock: Callable[[], int] = now_ms


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """What S3 tells EventBridge about an object that was created or deleted.

    `requester` is the account or AWS service that asked for it; `is_expiry`: a lifecycle rule
    deleted it (S3 user guide, "EventBridge event message structure").
    """

    key: str
    region: str
    account: str
    requester: str = ""
    is_expiry: bool = False

    @property
    def stream_arn_prefix(self) -> str:
        """What the ARN of each video stream there begins with."""
        return f"arn:aws:kinesisvideo:{self.region}:{self.account}:stream/"


Work = Callable[[ObjectEvent], object]


def process_sqs_batch(
    source: SqsSource, messages: Sequence[Mapping[str, Any]], work: Work
) -> "PartialItemFailureResponse":
    """Do the work with each message's event; return the answer that names those to redeliver.

    (Lambda developer guide, "Handling errors for an SQS event source".)
    """
    # Raising would make Lambda poll the queue less.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    handler = partial(record_handler, source, work)
    return process_partial_response({"Records": messages}, handler, processor)


def record_handler(source: SqsSource, work: Work, record: "SQSRecord") -> None:
    """Do the work with one message's event; raise if the message has to be redelivered."""
    age_s = (source.clock() - int(record.attributes.sent_timestamp)) / 1000
    try:
        _settle(source, work, record, age_s)
    except DueLaterError as error:
        _hide(source, record, min(-(-error.wait_ms // 1000), MOST_HIDDEN_SECONDS))
        raise
    except Exception as error:
        letters = source.dead_letters
        facts = {"error": type(error).__name__, "age": round(age_s)}
        letters.logger.warning("event failed", extra={"event": record.message_id} | facts)
        letters.metrics.add_metric(FAILED_EVENT_AGE, "Seconds", age_s)
        _back_off(source, record, error)
        raise


def _settle(source: SqsSource, work: Work, record: "SQSRecord", age_s: float) -> None:
    """Do the work, or keep an event that no retry mends or that failed for too long."""
    if age_s > 2 * RETRY_SECONDS and _receive_count(record) > 1:
        raise WorkersKilledError("the event is left to the dead-letter queue")
    try:
        work(read_event(record.body))
        return
    except Exception as error:  # a failure concerns this event only
        is_in_time = age_s <= RETRY_SECONDS or isinstance(error, DueLaterError)
        if is_in_time and not is_permanent(error):
            raise
        reason = reason_of(error)
    source.dead_letters.put(EVENTS, record.message_id, reason, record.raw_event)


def read_event(body: str) -> ObjectEvent:
    """Read a message's body; raise EventError if it is no event of S3."""
    try:
        event = json.loads(body)
        detail = event["detail"]
        found = ObjectEvent(
            # Not decoded: S3 does not URL-encode keys in the events that it sends to EventBridge.
            detail["object"]["key"],
            event["region"],
            event["account"],
            requester=str(detail.get("requester", "")),
            is_expiry=detail.get("reason") == EXPIRY,
        )
    except Exception as error:  # whatever it is, no retry would mend the message
        raise EventError("the message is no event of S3") from error
    if not isinstance(found.key, str):
        raise EventError("the event's key is no text")
    return found


def _receive_count(record: "SQSRecord") -> int:
    return int(record.attributes.approximate_receive_count)


def _back_off(source: SqsSource, record: "SQSRecord", error: Exception) -> None:
    """Retry sooner than the queue's visibility timeout, which outlasts an invocation.

    What killed its workers is received at once until SQS moves it into the dead-letter queue.
    """
    seconds = min(2 ** min(_receive_count(record), 10), MAX_BACKOFF_SECONDS)
    _hide(source, record, 0 if isinstance(error, WorkersKilledError) else seconds)


def _hide(source: SqsSource, record: "SQSRecord", seconds: int) -> None:
    """Let a message come again in so many seconds."""
    try:
        source.sqs.change_message_visibility(
            QueueUrl=source.url,
            ReceiptHandle=record.receipt_handle,
            VisibilityTimeout=seconds,
        )
    except (BotoCoreError, ClientError) as refused:  # it is retried when the timeout is over
        kind = type(refused).__name__
        source.dead_letters.logger.warning("event retried later", extra={"error": kind})
