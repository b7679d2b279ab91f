"""The worker of one lane: fills a batch, delivers it, moves the checkpoint, and begins again.

Every lane has a thread of its own, so that a slow function holds up nothing but itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from local.event_source_mapping.checkpoints import Checkpoints
from local.event_source_mapping.filling import Filling, fill
from local.event_source_mapping.lane import Lane
from local.event_source_mapping.mapping import Mapping
from local.event_source_mapping.model import Backend, Shard
from local.event_source_mapping.permissions import DENIED_SECONDS, Permissions
from local.event_source_mapping.retries import Batch
from local.event_source_mapping.signal import Signal

logger = logging.getLogger(__name__)

IDLE_SECONDS = 10.0
AFTER_CRASH_SECONDS = 1.0


class Overseer(Protocol):
    """Who knows the mappings and shards as they are now."""

    def mapping(self, uuid: str) -> Mapping | None:
        """Give a mapping, or None when it is gone or disabled."""
        ...

    def shard(self, uuid: str, shard_id: str) -> Shard | None:
        """Give a shard of a mapping's stream, or None when it is gone."""
        ...

    def ended(self, lane: Lane) -> None:
        """Hear that a lane's worker is at its end."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the workers of one mapping share."""

    backend: Backend
    overseer: Overseer
    signal: Signal
    checkpoints: Checkpoints
    clock: Callable[[], float]


class Worker:
    """Serves one lane until it is stopped or has read a closed shard to its end."""

    def __init__(self, lane: Lane, around: Surroundings) -> None:
        self._lane = lane
        self._around = around
        self._stopping = False
        self._permissions = Permissions(around.backend, time.monotonic)
        name = f"mapping {lane.uuid[:8]} {lane.shard_id}/{lane.number}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end after the running invocation; wake the signal afterwards."""
        self._stopping = True

    def join(self, seconds: float) -> bool:
        """Wait for the end; False if the worker is still in an invocation."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def settings(self) -> Mapping | None:
        """Give the mapping as it is now, or None when the worker must stop."""
        return None if self._stopping else self._around.overseer.mapping(self._lane.uuid)

    def pause(self, seconds: float) -> None:
        """Wait, unless the worker must stop."""
        self._around.signal.wait_until(lambda: self._stopping, seconds)

    def done(self, sequence_number: str) -> None:
        """Move the checkpoint."""
        self._around.checkpoints.advance(self._lane.shard_id, self._lane.number, sequence_number)

    def _work(self) -> None:
        try:
            while (mapping := self.settings()) is not None and self._step(mapping):
                pass
        except Exception:
            # Another worker then starts at the checkpoint.
            logger.exception("a worker of mapping %s failed", self._lane.uuid)
            self.pause(AFTER_CRASH_SECONDS)
        finally:
            self._around.overseer.ended(self._lane)

    def _step(self, mapping: Mapping) -> bool:
        """Do one batch, or wait for something to do; False at the end of a closed shard."""
        around = self._around
        role = around.backend.role(mapping.function_arn)
        problem = self._problem(mapping, role)
        if problem or role is None:
            around.backend.report(mapping.uuid, problem or "PROBLEM: Function not found")
            self.pause(DENIED_SECONDS)
            return True
        # Both asked before reading, so that nothing that comes meanwhile is overlooked.
        seen, closed = around.signal.count, self._closed()
        filling = self._fill(mapping, role)
        if filling.deliveries:
            if self._batch().deliver(filling.deliveries):
                self.done(filling.scanned)
        elif filling.moved:
            self.done(filling.scanned)
        elif closed:
            around.checkpoints.finish(self._lane.shard_id, self._lane.number)
            return False
        else:
            around.signal.wait(seen, IDLE_SECONDS)
        return True

    def _problem(self, mapping: Mapping, role: str | None) -> str | None:
        if mapping.problem:
            return f"PROBLEM: {mapping.problem}"
        return None if role is None else self._permissions.problem(mapping, role)

    def _closed(self) -> bool:
        shard = self._around.overseer.shard(self._lane.uuid, self._lane.shard_id)
        return shard is None or shard.closed

    def _fill(self, mapping: Mapping, role: str) -> Filling:
        lane, around = self._lane, self._around
        position = around.checkpoints.position(lane.shard_id, lane.number, lane.lanes)
        filling = Filling(position, mapping, lane, role)
        fill(
            filling,
            around.backend,
            around.signal,
            stopped=lambda: self.settings() is None,
        )
        counts = {"PolledEventCount": filling.polled, "FilteredOutEventCount": filling.filtered_out}
        for metric, number in counts.items():
            if number:
                around.backend.count(mapping.uuid, metric, number)
        return filling

    def _batch(self) -> Batch:
        around = self._around
        return Batch(self, around.backend, shard_id=self._lane.shard_id, clock=around.clock)
