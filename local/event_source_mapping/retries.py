"""Deliver one batch to the end: success, retries, splits, or records given up.

Order is kept: what comes later in a batch waits for what comes before. The rules are those of
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (retries, age,
splitting) and https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
(partial success).
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from local.event_source_mapping.events import Delivery, event_of
from local.event_source_mapping.failures import (
    Condition,
    Discarded,
    first_failure,
    send,
)
from local.event_source_mapping.mapping import Mapping
from local.event_source_mapping.model import Backend, DestinationError, Invocation

logger = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0

_REFUSALS = {
    "throttled": "PROBLEM: Function call throttled",
    "missing": "PROBLEM: Function not found",
}


class Run(Protocol):
    """What a batch needs of the worker that delivers it."""

    def settings(self) -> Mapping | None:
        """Give the mapping as it is now, or None when the worker must stop."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait, unless the worker must stop."""
        ...

    def done(self, sequence_number: str) -> None:
        """Move the checkpoint: everything up to here is delivered or given up."""
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    deliveries: Sequence[Delivery]
    failures: int = 0


class Batch:
    """One batch on its way through retries and splits."""

    def __init__(
        self,
        run: Run,
        backend: Backend,
        *,
        shard_id: str,
        clock: Callable[[], float],
    ) -> None:
        self._run = run
        self._backend = backend
        self._shard_id = shard_id
        self._clock = clock
        self._parts: deque[_Part] = deque()
        self._delay = FIRST_DELAY_SECONDS

    def deliver(self, deliveries: Sequence[Delivery]) -> bool:
        """Deliver to the end; False when the worker had to stop before."""
        self._parts.append(_Part(deliveries))
        while self._parts:
            mapping = self._run.settings()
            if mapping is None:
                return False
            part = self._without_aged(self._parts.popleft(), mapping)
            if part.deliveries:
                self._attempt(part, mapping)
        return True

    def _without_aged(self, part: _Part, mapping: Mapping) -> _Part:
        limit = mapping.record_age_seconds
        if limit < 0:
            return part
        oldest = self._clock() - limit
        aged = [item for item in part.deliveries if item.record.arrived < oldest]
        if not aged:
            return part
        self._discard(Discarded(aged, "RecordAgeExceeded", part.failures, None), mapping)
        # Arrival times of a shard never decrease, so the aged ones are the first ones.
        return replace(part, deliveries=part.deliveries[len(aged) :])

    def _attempt(self, part: _Part, mapping: Mapping) -> None:
        answer = self._backend.invoke(mapping.function_arn, event_of(part.deliveries))
        if answer.refused:
            # Neither throttling nor a missing function is an attempt: only the age limit ends it.
            self._backend.report(mapping.uuid, _REFUSALS[answer.refused])
            self._again(part)
            return
        failed = self._failed(answer, part, mapping)
        if failed is None:
            self._succeed(part, mapping)
        else:
            self._backend.report(mapping.uuid, "PROBLEM: Function call failed")
            self._fail(part, failed, answer, mapping)

    @staticmethod
    def _failed(answer: Invocation, part: _Part, mapping: Mapping) -> int | None:
        if answer.function_error:
            return 0
        if not mapping.report_item_failures:
            return None
        numbers = [item.record.sequence_number for item in part.deliveries]
        return first_failure(answer.payload, numbers)

    def _succeed(self, part: _Part, mapping: Mapping) -> None:
        self._delay = FIRST_DELAY_SECONDS
        self._backend.report(mapping.uuid, "OK")
        self._run.done(part.deliveries[-1].record.sequence_number)

    def _fail(self, part: _Part, failed: int, answer: Invocation, mapping: Mapping) -> None:
        items = part.deliveries
        if failed > 0:
            # Progress: the checkpoint moves, and what is left starts with all its retries.
            self._run.done(items[failed - 1].record.sequence_number)
            self._parts.appendleft(_Part(items[failed:]))
        elif mapping.bisect and len(items) > 1:
            half = len(items) // 2
            self._parts.appendleft(replace(part, deliveries=items[half:]))
            self._parts.appendleft(replace(part, deliveries=items[:half]))
        elif 0 <= mapping.retry_attempts <= part.failures:
            condition: Condition = "RetryAttemptsExhausted"
            self._discard(Discarded(items, condition, part.failures + 1, answer), mapping)
        else:
            self._again(replace(part, failures=part.failures + 1))

    def _again(self, part: _Part) -> None:
        self._parts.appendleft(part)
        self._run.pause(self._delay)
        self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)

    def _discard(self, discarded: Discarded, mapping: Mapping) -> None:
        self._delay = FIRST_DELAY_SECONDS
        logger.warning(
            "mapping %s gives up %d records of %s: %s",
            mapping.uuid,
            len(discarded.deliveries),
            self._shard_id,
            discarded.condition,
        )
        try:
            send(
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
        self._run.done(discarded.deliveries[-1].record.sequence_number)
