"""Partial batch failures, and the invocation record of discarded records.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html and
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from local.event_source_mapping.batches.events import EventRecord, to_event
from local.event_source_mapping.mapping import EventSourceMapping
from local.event_source_mapping.model import Backend, DestinationError, Invocation

type DiscardCondition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


def first_failure(payload: object, sequence_numbers: Sequence[str]) -> int | None:
    """Return the index of the first record reported as failed, or None for full success.

    An identifier that is empty, missing or not of this batch fails the whole batch, as does a
    response of another shape.
    """
    if payload is None or payload in ("", [], {}):
        return None
    if not isinstance(payload, dict):
        return 0
    failures = payload.get("batchItemFailures")
    if failures is None:
        return None
    if not isinstance(failures, list):
        return 0
    indexes = [_index(failure, sequence_numbers) for failure in failures]
    return min(indexes, default=None)


def _index(failure: object, sequence_numbers: Sequence[str]) -> int:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return sequence_numbers.index(identifier) if identifier in sequence_numbers else 0


@dataclass(frozen=True, slots=True)
class DiscardedRecords:
    """Discarded records and the reason."""

    event_records: Sequence[EventRecord]
    condition: DiscardCondition
    invocations: int
    answer: Invocation | None


def invocation_record(
    discarded: DiscardedRecords, *, mapping: EventSourceMapping, shard_id: str, now: float
) -> dict[str, Any]:
    """Return Lambda's invocation record; records that expired have no responseContext."""
    first, last = discarded.event_records[0].record, discarded.event_records[-1].record
    answer = discarded.answer or Invocation()
    response = {
        "statusCode": 200,
        "executedVersion": answer.executed_version,
        "functionError": answer.function_error,
    }
    return {
        "requestContext": {
            "requestId": answer.request_id or str(uuid.uuid4()),
            "functionArn": mapping.function_arn,
            "condition": discarded.condition,
            "approximateInvokeCount": max(1, discarded.invocations),
        },
        **({"responseContext": response} if discarded.answer else {}),
        "version": "1.0",
        "timestamp": _iso(now),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _iso(first.arrived),
            "approximateArrivalOfLastRecord": _iso(last.arrived),
            "batchSize": len(discarded.event_records),
            "streamArn": mapping.stream_arn,
        },
    }


def send_to_destination(
    backend: Backend,
    discarded: DiscardedRecords,
    *,
    mapping: EventSourceMapping,
    shard_id: str,
    now: float,
) -> None:
    """Send the invocation record to the mapping's destination; S3 also gets the records."""
    arn = mapping.destination
    if arn is None:
        return
    role = backend.role(mapping.function_arn)
    if role is None:
        raise DestinationError("the function does not exist, so its role is unknown")
    record = invocation_record(discarded, mapping=mapping, shard_id=shard_id, now=now)
    service, name = arn.split(":")[2], arn.split(":", 5)[-1]
    if service == "s3":
        record["payload"] = to_event(discarded.event_records)
        key = _object_key(mapping.uuid, shard_id, now)
        backend.put_object(role, name, key, json.dumps(record).encode())
    elif service == "sqs":
        backend.send_message(role, arn, json.dumps(record))
    elif service == "sns":
        backend.publish(role, arn, json.dumps(record))
    else:
        raise DestinationError(f"the destination {service} is not implemented")


def _object_key(mapping_uuid: str, shard_id: str, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC)
    name = f"{moment:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{moment:%Y/%m/%d}/{name}"


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
