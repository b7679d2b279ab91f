"""Fill one batch: read, filter, and wait out the batching window.

A batch is closed by its size, by Lambda's payload quota, or by the window that opens with its
first record (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, polling and batching
streams). Records that are filtered out are in no batch and open no window.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local.event_source_mapping.events import (
    ENVELOPE_BYTES,
    PAYLOAD_BYTES,
    Delivery,
    delivery_of,
)
from local.event_source_mapping.lane import Lane
from local.event_source_mapping.mapping import Mapping
from local.event_source_mapping.model import Backend, Record
from local.event_source_mapping.signal import Signal

READ_LIMIT = 1000


@dataclass(slots=True)
class Filling:
    """A batch while it is being filled, and how far the shard was read for it."""

    begun: str
    mapping: Mapping
    lane: Lane
    role: str
    scanned: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    payload: int = ENVELOPE_BYTES
    full: bool = False
    polled: int = 0
    filtered_out: int = 0
    data_only: bool = False

    def __post_init__(self) -> None:
        self.scanned = self.begun
        self.data_only = self.mapping.looks_at_data_only

    @property
    def moved(self) -> bool:
        """Say whether any record was read."""
        return self.scanned != self.begun

    def consider(self, record: Record) -> None:
        """Take a record, or pass over it; what no longer fits closes the batch and is left."""
        if self.lane.has(record) and record.arrived >= self.mapping.starting_timestamp:
            delivery = self._passed(record)
            if delivery is None:
                self.filtered_out += 1
            elif not self._take(delivery):
                return
            self.polled += 1
        self.scanned = record.sequence_number

    def _passed(self, record: Record) -> Delivery | None:
        """The record as it is delivered, or None if it is filtered out."""
        mapping = self.mapping
        # Most frames show nobody, and shaping an event takes as long as looking for a face.
        if self.data_only and not mapping.lets_through(record):
            return None
        delivery = delivery_of(
            record,
            shard_id=self.lane.shard_id,
            stream_arn=mapping.stream_arn,
            role_arn=self.role,
        )
        if self.data_only or mapping.lets_through(record, delivery.event):
            return delivery
        return None

    def _take(self, delivery: Delivery) -> bool:
        payload = self.payload + delivery.bytes
        if self.deliveries and payload > PAYLOAD_BYTES:
            self.full = True
            return False
        self.deliveries.append(delivery)
        self.payload = payload
        self.full = len(self.deliveries) >= self.mapping.batch_size
        return True


def fill(
    filling: Filling, backend: Backend, signal: Signal, *, stopped: Callable[[], bool]
) -> None:
    """Fill a batch: at once with what is there, then with what comes while the window is open."""
    closes: float | None = None
    while True:
        seen = signal.count
        _read(filling, backend)
        if not filling.deliveries or filling.full or stopped():
            return
        now = time.monotonic()
        closes = now + filling.mapping.window_seconds if closes is None else closes
        if now >= closes:
            return
        signal.wait(seen, closes - now)


def _read(filling: Filling, backend: Backend) -> None:
    while True:
        found = backend.records(
            filling.mapping.stream_arn,
            filling.lane.shard_id,
            after=filling.scanned,
            limit=READ_LIMIT,
        )
        for record in found:
            filling.consider(record)
            if filling.full:
                return
        # After a read without a match the checkpoint moves before the next.
        if len(found) < READ_LIMIT or not filling.deliveries:
            return
