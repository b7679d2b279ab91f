"""Puts what failed back where it came from, records in order, after a fix.

Three kinds lie in the bucket: records that the functions set aside (`failures/records/`, one
each), events of a queue that they gave up (`failures/events/`), and batches of a data stream that
Lambda gave up (`aws/lambda/`, Lambda developer guide, "Configuring destinations for event source
mapping invocations": only S3 gets the whole event, as `payload`). A record that both functions
failed on is put back once: both get it.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from whosthere.ingest import dead_letter as failures

GIVEN_UP = "aws/lambda/"


@dataclass(frozen=True, slots=True)
class Failed:
    """A record that failed: where it came from, and as which of its shard."""

    stream: str
    number: int
    partition_key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were put back by ARN of stream or queue, and the keys that hold none.

    What came from a queue that is no more (the engine was changed) is among the latter.
    """

    records: dict[str, int]
    events: dict[str, int]
    unreadable: list[str]


def replay(s3: Any, kinesis: Any, sqs: Any, bucket: str) -> Replayed:
    """Put all that failed back, records oldest first, and then remove it from the bucket.

    If it is stopped half way, the next one puts all back again: no visit is alerted twice
    by that. What still fails is kept again.
    """
    found: dict[tuple[str, int], Failed] = {}
    read, unreadable = [], []
    for key in _keys(s3, bucket, (failures.SET_ASIDE, GIVEN_UP)):
        try:
            records = read_failure(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except (ValueError, TypeError, KeyError):
            unreadable.append(key)
            continue
        found |= {(record.stream, record.number): record for record in records}
        read.append(key)
    counts = _put_back(kinesis, [found[place] for place in sorted(found)])
    for key in read:
        s3.delete_object(Bucket=bucket, Key=key)
    events = _send_again(s3, sqs, bucket, unreadable)
    return Replayed(counts, events, unreadable)


def _send_again(s3: Any, sqs: Any, bucket: str, unreadable: list[str]) -> dict[str, int]:
    """Send each kept event to its queue anew; whatever comes twice is done once."""
    counts: dict[str, int] = {}
    for key in _keys(s3, bucket, (failures.EVENTS,)):
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


def read_failure(body: bytes) -> list[Failed]:
    """The records of one object, whichever of the two kinds it is."""
    kept = json.loads(body)
    if "given" in kept:
        return [_failed(kept["given"])]
    payload = kept["payload"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    return [_failed(record) for record in event["Records"]]


def _failed(record: Mapping[str, Any]) -> Failed:
    kinesis = record["kinesis"]
    return Failed(
        stream=record["eventSourceARN"],
        number=int(kinesis["sequenceNumber"]),
        partition_key=kinesis["partitionKey"],
        data=base64.b64decode(kinesis["data"]),
    )


def _put_back(kinesis: Any, records: list[Failed]) -> dict[str, int]:
    counts: dict[str, int] = {}
    last: dict[str, str] = {}
    for record in records:
        # One by one: only so do they keep their order (Kinesis, PutRecord).
        after = last.get(record.stream)
        answer = kinesis.put_record(
            StreamARN=record.stream,
            Data=record.data,
            PartitionKey=record.partition_key,
            **({"SequenceNumberForOrdering": after} if after else {}),
        )
        last[record.stream] = answer["SequenceNumber"]
        counts[record.stream] = counts.get(record.stream, 0) + 1
    return counts


def _keys(s3: Any, bucket: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    for prefix in prefixes:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            yield from (item["Key"] for item in page.get("Contents", ()))
