"""The worker of one shard partition: fill a batch, deliver it, move the checkpoint, repeat.

Each has a thread of its own, so that a slow function delays only its own partition.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from local.event_source_mapping.batches.batch_builder import BatchBuilder, fill
from local.event_source_mapping.batches.checkpoints import Checkpoints
from local.event_source_mapping.batches.retries import Batch
from local.event_source_mapping.batches.shard_partition import ShardPartition
from local.event_source_mapping.mapping import EventSourceMapping
from local.event_source_mapping.model import Backend, Shard
from local.event_source_mapping.permissions import DENIED_SECONDS, Permissions
from local.event_source_mapping.signal import Signal

logger = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
AFTER_CRASH_SECONDS = 1.0


class Engine(Protocol):
    """The current mappings and shards, as the workers see them."""

    def mapping(self, uuid: str) -> EventSourceMapping | None:
        """Return a mapping, or None when it is gone or disabled."""
        ...

    def shard(self, uuid: str, shard_id: str) -> Shard | None:
        """Return a shard of a mapping's stream, or None when it is gone."""
        ...

    def worker_ended(self, partition: ShardPartition) -> None:
        """Handle the end of a partition's worker."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The objects that the workers of one mapping share."""

    backend: Backend
    engine: Engine
    signal: Signal
    checkpoints: Checkpoints
    clock: Callable[[], float]


class Worker:
    """Serves one partition until it is stopped or has read a closed shard to its end."""

    def __init__(self, partition: ShardPartition, context: WorkerContext) -> None:
        """Prepare the thread of a partition's worker."""
        self._partition = partition
        self._context = context
        self._stopping = False
        self._permissions = Permissions(context.backend, time.monotonic)
        name = f"mapping {partition.uuid[:8]} {partition.shard_id}/{partition.number}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Start the worker's thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end after its invocation; the caller wakes the signal afterwards."""
        self._stopping = True

    def join(self, seconds: float) -> bool:
        """Wait for the end; return False if an invocation still runs after the timeout."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def settings(self) -> EventSourceMapping | None:
        """Return the mapping as it is now, or None when the worker must stop."""
        return None if self._stopping else self._context.engine.mapping(self._partition.uuid)

    def pause(self, seconds: float) -> None:
        """Wait for the given time, or until the worker must stop."""
        self._context.signal.wait_until(lambda: self._stopping, seconds)

    def advance_checkpoint(self, sequence_number: str) -> None:
        """Move the checkpoint."""
        self._context.checkpoints.advance(
            self._partition.shard_id, self._partition.number, sequence_number
        )

    def _work(self) -> None:
        try:
            while (mapping := self.settings()) is not None and self._step(mapping):
                pass
        except Exception:
            # Another worker then starts at the checkpoint.
            logger.exception("a worker of mapping %s failed", self._partition.uuid)
            self.pause(AFTER_CRASH_SECONDS)
        finally:
            self._context.engine.worker_ended(self._partition)

    def _step(self, mapping: EventSourceMapping) -> bool:
        """Deliver one batch or wait for records; return False at the end of a closed shard."""
        context = self._context
        role = context.backend.role(mapping.function_arn)
        problem = self._problem(mapping, role)
        if problem or role is None:
            context.backend.report(mapping.uuid, problem or "PROBLEM: Function not found")
            self.pause(DENIED_SECONDS)
            return True
        # Both are read before the records, so that no record arriving meanwhile is missed.
        seen, closed = context.signal.count, self._closed()
        builder = self._fill(mapping, role)
        if builder.event_records:
            if self._batch().deliver(builder.event_records):
                self.advance_checkpoint(builder.read_to)
        elif builder.has_read:
            self.advance_checkpoint(builder.read_to)
        elif closed:
            context.checkpoints.finish(self._partition.shard_id, self._partition.number)
            return False
        else:
            context.signal.wait(seen, IDLE_SECONDS)
        return True

    def _problem(self, mapping: EventSourceMapping, role: str | None) -> str | None:
        if mapping.problem:
            return f"PROBLEM: {mapping.problem}"
        return None if role is None else self._permissions.problem(mapping, role)

    def _closed(self) -> bool:
        shard = self._context.engine.shard(self._partition.uuid, self._partition.shard_id)
        return shard is None or shard.closed

    def _fill(self, mapping: EventSourceMapping, role: str) -> BatchBuilder:
        partition, context = self._partition, self._context
        position = context.checkpoints.position(
            partition.shard_id, partition.number, partition.partitions
        )
        builder = BatchBuilder(position, mapping, partition, role)
        fill(
            builder,
            context.backend,
            context.signal,
            stopped=lambda: self.settings() is None,
        )
        counts = {"PolledEventCount": builder.polled, "FilteredOutEventCount": builder.filtered_out}
        for metric, number in counts.items():
            if number:
                context.backend.count(mapping.uuid, metric, number)
        return builder

    def _batch(self) -> Batch:
        context = self._context
        return Batch(self, context.backend, shard_id=self._partition.shard_id, clock=context.clock)
