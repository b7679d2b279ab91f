"""Fill one batch: read, filter, and wait out the batching window.

A batch is closed by its size, by Lambda's payload quota, or by the window that opens with its
first record (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, polling and batching
streams). Records that are filtered out are in no batch and open no window.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local.event_source_mapping.batches.events import (
    ENVELOPE_BYTES,
    PAYLOAD_BYTES,
    EventRecord,
    to_event_record,
)
from local.event_source_mapping.batches.shard_partition import ShardPartition
from local.event_source_mapping.mapping import EventSourceMapping
from local.event_source_mapping.model import Backend, Record
from local.event_source_mapping.signal import Signal

READ_LIMIT = 1000


@dataclass(slots=True)
class BatchBuilder:
    """A batch while it is filled, and the position up to which the shard was read."""

    start: str
    mapping: EventSourceMapping
    partition: ShardPartition
    role: str
    read_to: str = ""
    event_records: list[EventRecord] = field(default_factory=list)
    payload: int = ENVELOPE_BYTES
    full: bool = False
    polled: int = 0
    filtered_out: int = 0
    data_only: bool = False

    def __post_init__(self) -> None:
        """Start reading at the checkpoint."""
        self.read_to = self.start
        self.data_only = self.mapping.filters_data_only

    @property
    def has_read(self) -> bool:
        """Return whether any record was read."""
        return self.read_to != self.start

    def add(self, record: Record) -> None:
        """Add a record if it passes the filters; one that does not fit closes the batch."""
        if self.partition.has(record) and record.arrived >= self.mapping.starting_timestamp:
            event_record = self._passed(record)
            if event_record is None:
                self.filtered_out += 1
            elif not self._take(event_record):
                return
            self.polled += 1
        self.read_to = record.sequence_number

    def _passed(self, record: Record) -> EventRecord | None:
        """Return the record as it is delivered, or None if it is filtered out."""
        mapping = self.mapping
        # Most records are filtered out, and making an event is as slow as filtering.
        if self.data_only and not mapping.passes_filters(record):
            return None
        event_record = to_event_record(
            record,
            shard_id=self.partition.shard_id,
            stream_arn=mapping.stream_arn,
            role_arn=self.role,
        )
        if self.data_only or mapping.passes_filters(record, event_record.event):
            return event_record
        return None

    def _take(self, event_record: EventRecord) -> bool:
        payload = self.payload + event_record.bytes
        if self.event_records and payload > PAYLOAD_BYTES:
            self.full = True
            return False
        self.event_records.append(event_record)
        self.payload = payload
        self.full = len(self.event_records) >= self.mapping.batch_size
        return True


def fill(
    builder: BatchBuilder, backend: Backend, signal: Signal, *, stopped: Callable[[], bool]
) -> None:
    """Fill a batch with the records there are, then with new ones until the window closes."""
    closes: float | None = None
    while True:
        seen = signal.count
        _read(builder, backend)
        if not builder.event_records or builder.full or stopped():
            return
        now = time.monotonic()
        closes = now + builder.mapping.window_seconds if closes is None else closes
        if now >= closes:
            return
        signal.wait(seen, closes - now)


def _read(builder: BatchBuilder, backend: Backend) -> None:
    while True:
        found = backend.records(
            builder.mapping.stream_arn,
            builder.partition.shard_id,
            after=builder.read_to,
            limit=READ_LIMIT,
        )
        for record in found:
            builder.add(record)
            if builder.full:
                return
        # After a read without a match the checkpoint moves before the next.
        if len(found) < READ_LIMIT or not builder.event_records:
            return
