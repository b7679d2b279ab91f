"""Put failed records and events back where they came from, records in order, after a fix.

The bucket holds three kinds: records that the functions rejected (`failures/records/`, one
each), events of a queue whose retries ended (`failures/events/`), and batches of a data stream
whose retries ended (`aws/lambda/`, Lambda developer guide, "Configuring destinations for event
source mapping invocations": only S3 gets the whole event, as `payload`). A record on which both
functions failed is put back once: both get it. The dead-letter queue holds events that killed
their workers or were never tried.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whosthere.ingest import dead_letter

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordInputTypeDef
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

ON_FAILURE_PREFIX = "aws/lambda/"
HIDDEN_SECONDS = 120
SOURCE = "DeadLetterQueueSourceArn"  # SQS names the queue that a dead letter comes from


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record that failed: its stream, and its sequence number in the shard."""

    stream: str
    number: int
    partition_key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The number of items put back, by ARN of stream or queue, and what is left by key or id.

    Events of a queue that no longer exists (the engine was changed) are left as well.
    """

    records: dict[str, int]
    events: dict[str, int]
    unreadable: list[str]


def replay_failures(
    s3: "S3Client", kinesis: "KinesisClient", sqs: "SQSClient", bucket: str
) -> ReplayResult:
    """Put all failures back, records oldest first, and then remove them from the bucket.

    If it is interrupted, the next replay puts everything back again: that alerts no visit twice.
    What fails again returns to the bucket.
    """
    found: dict[tuple[str, int], FailedRecord] = {}
    read, unreadable = [], []
    for key in failure_keys(s3, bucket, (dead_letter.RECORDS, ON_FAILURE_PREFIX)):
        try:
            records = parse_failure(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (ValueError, TypeError, KeyError):
            unreadable.append(key)
            continue
        found |= {(record.stream, record.number): record for record in records}
        read.append(key)
    counts = _put_records(kinesis, [found[place] for place in sorted(found)])
    for key in read:
        s3.delete_object(Bucket=bucket, Key=key)
    events = _resend_events(s3, sqs, bucket, unreadable)
    return ReplayResult(counts, events, unreadable)


def _resend_events(
    s3: "S3Client", sqs: "SQSClient", bucket: str, unreadable: list[str]
) -> dict[str, int]:
    """Send each stored event to its queue again; the functions are idempotent."""
    counts: dict[str, int] = {}
    for key in failure_keys(s3, bucket, (dead_letter.EVENTS,)):
        try:
            kept = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            queue, event = kept["given"]["eventSourceARN"], kept["given"]["body"]
            url = sqs.get_queue_url(QueueName=queue.split(":")[5])["QueueUrl"]
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            sqs.exceptions.QueueDoesNotExist,
        ):
            unreadable.append(key)
            continue
        sqs.send_message(QueueUrl=url, MessageBody=event)
        s3.delete_object(Bucket=bucket, Key=key)
        counts[queue] = counts.get(queue, 0) + 1
    return counts


def resend_dead_letters(sqs: Any, url: str) -> ReplayResult:
    """Send what lies in a dead-letter queue to the queues it came from; name what stays by id.

    If it is interrupted, an event may be sent twice: the functions are idempotent.
    """
    counts: dict[str, int] = {}
    left = []
    for message in received_messages(sqs, url):
        queue = message.get("Attributes", {}).get(SOURCE, "")
        if not _is_resent(sqs, queue, message["Body"]):
            left.append(message["MessageId"])
            continue
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        counts[queue] = counts.get(queue, 0) + 1
    return ReplayResult({}, counts, left)


def received_messages(sqs: Any, url: str) -> Iterator[Mapping[str, Any]]:
    """Yield each message of a queue once: those that stay are hidden for HIDDEN_SECONDS."""
    asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
    asked |= {"VisibilityTimeout": HIDDEN_SECONDS, "MessageSystemAttributeNames": [SOURCE]}
    while found := sqs.receive_message(**asked).get("Messages"):
        yield from found


def _is_resent(sqs: Any, queue: str, body: str) -> bool:
    try:
        url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    except (ValueError, sqs.exceptions.QueueDoesNotExist):
        return False
    sqs.send_message(QueueUrl=url, MessageBody=body)
    return True


def parse_failure(body: bytes) -> list[FailedRecord]:
    """Return the records of one object of either kind."""
    kept = json.loads(body)
    if "given" in kept:
        return [_parse_record(kept["given"])]
    payload = kept["payload"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    return [_parse_record(record) for record in event["Records"]]


def _parse_record(record: Mapping[str, Any]) -> FailedRecord:
    kinesis = record["kinesis"]
    return FailedRecord(
        stream=record["eventSourceARN"],
        number=int(kinesis["sequenceNumber"]),
        partition_key=kinesis["partitionKey"],
        data=base64.b64decode(kinesis["data"]),
    )


def _put_records(kinesis: "KinesisClient", records: list[FailedRecord]) -> dict[str, int]:
    counts: dict[str, int] = {}
    last: dict[str, str] = {}
    for record in records:
        # One by one, as PutRecords does not keep the order (Kinesis, PutRecord).
        request: PutRecordInputTypeDef = {
            "StreamARN": record.stream,
            "Data": record.data,
            "PartitionKey": record.partition_key,
        }
        if after := last.get(record.stream):
            request["SequenceNumberForOrdering"] = after
        answer = kinesis.put_record(**request)
        last[record.stream] = answer["SequenceNumber"]
        counts[record.stream] = counts.get(record.stream, 0) + 1
    return counts


def failure_keys(s3: "S3Client", bucket: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys of what failed, prefix by prefix."""
    for prefix in prefixes:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            yield from (item["Key"] for item in page.get("Contents", ()))
