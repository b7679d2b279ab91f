"""The event a function gets, shaped as on https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.event_source_mapping.model import Record

# Lambda's quota for a synchronous invocation; the mapping closes a batch before it is exceeded.
PAYLOAD_BYTES = 6 * 1024 * 1024
ENVELOPE_BYTES = len('{"Records": []}')


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A record of a stream and its form in the event."""

    record: Record
    event: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Return the record's share of the payload in bytes."""
        return len(json.dumps(self.event)) + len(", ")


def to_event_record(
    record: Record, *, shard_id: str, stream_arn: str, role_arn: str
) -> EventRecord:
    """Convert a stream's record to its form in the event."""
    return EventRecord(
        record,
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence_number,
                "data": base64.b64encode(record.data).decode(),
                "approximateArrivalTimestamp": record.arrived,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{record.sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role_arn,
            "awsRegion": stream_arn.split(":")[3],
            "eventSourceARN": stream_arn,
        },
    )


def to_event(event_records: Sequence[EventRecord]) -> dict[str, Any]:
    """Return one event with these records."""
    return {"Records": [event_record.event for event_record in event_records]}
