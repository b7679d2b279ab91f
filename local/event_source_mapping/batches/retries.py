"""Deliver one batch: success, retries, bisection or discarded records.

Records stay in order: later ones wait for earlier ones. The rules are those of
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (retries, age,
splitting) and https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
(partial success).
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from local.event_source_mapping.batches.events import EventRecord, to_event
from local.event_source_mapping.batches.failures import (
    DiscardCondition,
    DiscardedRecords,
    first_failure,
    send_to_destination,
)
from local.event_source_mapping.mapping import EventSourceMapping
from local.event_source_mapping.model import Backend, DestinationError, Invocation

logger = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 10.0

_REFUSALS = {
    "throttled": "PROBLEM: Function call throttled",
    "missing": "PROBLEM: Function not found",
}


class BatchWorker(Protocol):
    """The part of a worker that the delivery of a batch uses."""

    def settings(self) -> EventSourceMapping | None:
        """Return the mapping as it is now, or None when the worker must stop."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait for the given time, or until the worker must stop."""
        ...

    def advance_checkpoint(self, sequence_number: str) -> None:
        """Move the checkpoint: all records up to here are delivered or discarded."""
        ...


@dataclass(frozen=True, slots=True)
class _BatchPart:
    event_records: Sequence[EventRecord]
    failures: int = 0


class Batch:
    """The delivery of one batch with retries and bisection."""

    def __init__(
        self,
        worker: BatchWorker,
        backend: Backend,
        *,
        shard_id: str,
        clock: Callable[[], float],
    ) -> None:
        """Prepare the delivery of one batch."""
        self._worker = worker
        self._backend = backend
        self._shard_id = shard_id
        self._clock = clock
        self._parts: deque[_BatchPart] = deque()
        self._delay = FIRST_DELAY_SECONDS

    def deliver(self, event_records: Sequence[EventRecord]) -> bool:
        """Deliver or discard every record; return False when the worker had to stop first."""
        self._parts.append(_BatchPart(event_records))
        while self._parts:
            mapping = self._worker.settings()
            if mapping is None:
                return False
            part = self._discard_expired(self._parts.popleft(), mapping)
            if part.event_records:
                self._attempt(part, mapping)
        return True

    def _discard_expired(self, part: _BatchPart, mapping: EventSourceMapping) -> _BatchPart:
        limit = mapping.record_age_seconds
        if limit < 0:
            return part
        oldest = self._clock() - limit
        expired = [item for item in part.event_records if item.record.arrived < oldest]
        if not expired:
            return part
        self._discard(DiscardedRecords(expired, "RecordAgeExceeded", part.failures, None), mapping)
        # Arrival times of a shard never decrease, so the expired records are the first ones.
        return replace(part, event_records=part.event_records[len(expired) :])

    def _attempt(self, part: _BatchPart, mapping: EventSourceMapping) -> None:
        answer = self._backend.invoke(mapping.function_arn, to_event(part.event_records))
        if answer.refused:
            # Neither throttling nor a missing function is an attempt: only the age limit ends it.
            self._backend.report(mapping.uuid, _REFUSALS[answer.refused])
            self._retry(part)
            return
        failed = self._first_failed_index(answer, part, mapping)
        if failed is None:
            self._succeed(part, mapping)
        else:
            self._backend.report(mapping.uuid, "PROBLEM: Function call failed")
            self._fail(part, failed, answer, mapping)

    @staticmethod
    def _first_failed_index(
        answer: Invocation, part: _BatchPart, mapping: EventSourceMapping
    ) -> int | None:
        if answer.function_error:
            return 0
        if not mapping.report_item_failures:
            return None
        numbers = [item.record.sequence_number for item in part.event_records]
        return first_failure(answer.payload, numbers)

    def _succeed(self, part: _BatchPart, mapping: EventSourceMapping) -> None:
        self._delay = FIRST_DELAY_SECONDS
        self._backend.report(mapping.uuid, "OK")
        self._worker.advance_checkpoint(part.event_records[-1].record.sequence_number)

    def _fail(
        self, part: _BatchPart, failed: int, answer: Invocation, mapping: EventSourceMapping
    ) -> None:
        items = part.event_records
        if failed > 0:
            # Progress: the checkpoint moves, and what is left starts with all its retries.
            self._worker.advance_checkpoint(items[failed - 1].record.sequence_number)
            self._parts.appendleft(_BatchPart(items[failed:]))
        elif mapping.bisect and len(items) > 1:
            half = len(items) // 2
            self._parts.appendleft(replace(part, event_records=items[half:]))
            self._parts.appendleft(replace(part, event_records=items[:half]))
        elif 0 <= mapping.retry_attempts <= part.failures:
            condition: DiscardCondition = "RetryAttemptsExhausted"
            self._discard(DiscardedRecords(items, condition, part.failures + 1, answer), mapping)
        else:
            self._retry(replace(part, failures=part.failures + 1))

    def _retry(self, part: _BatchPart) -> None:
        self._parts.appendleft(part)
        self._worker.pause(self._delay)
        self._delay = min(self._delay * 2, MAX_DELAY_SECONDS)

    def _discard(self, discarded: DiscardedRecords, mapping: EventSourceMapping) -> None:
        self._delay = FIRST_DELAY_SECONDS
        logger.warning(
            "mapping %s gives up %d records of %s: %s",
            mapping.uuid,
            len(discarded.event_records),
            self._shard_id,
            discarded.condition,
        )
        try:
            send_to_destination(
                self._backend,
                discarded,
                mapping=mapping,
                shard_id=self._shard_id,
                now=self._clock(),
            )
        except DestinationError as error:
            # A destination that refuses does not hold up the shard (on AWS it is counted by the
            # metric DestinationDeliveryFailures).
            logger.warning("mapping %s: failure destination: %s", mapping.uuid, error)
            problem = f"PROBLEM: Failure destination {mapping.destination}: {error}"
            self._backend.report(mapping.uuid, problem)
        self._worker.advance_checkpoint(discarded.event_records[-1].record.sequence_number)
