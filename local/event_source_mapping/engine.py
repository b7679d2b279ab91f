"""The engine: one worker for each shard partition of each enabled mapping."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.event_source_mapping.batches.checkpoints import Checkpoints
from local.event_source_mapping.batches.shard_partition import ShardPartition
from local.event_source_mapping.batches.worker import Worker, WorkerContext
from local.event_source_mapping.mapping import EventSourceMapping, parse_mapping
from local.event_source_mapping.model import Backend, Shard
from local.event_source_mapping.signal import Signal

logger = logging.getLogger(__name__)

# `refresh` is called on each change; this finds changes that were not reported.
TICK_SECONDS = 1.0


@dataclass(slots=True)
class _MappingState:
    settings: dict[str, Any]
    mapping: EventSourceMapping
    checkpoints: Checkpoints
    shards: dict[str, Shard]


class EventSourceMappings:
    """Lambda's pollers of Kinesis data streams."""

    def __init__(self, backend: Backend, *, clock: Callable[[], float] = time.time) -> None:
        """Prepare the engine for a backend; `start` runs it."""
        self._backend = backend
        self._clock = clock
        self._signal = Signal()
        self._lock = threading.RLock()
        self._states: dict[str, _MappingState] = {}
        self._workers: dict[ShardPartition, Worker] = {}
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="mappings", daemon=True)

    def start(self) -> None:
        """Start to serve the mappings."""
        self.refresh()
        self._ticker.start()

    def wake(self) -> None:
        """Wake the workers: a stream has new records."""
        self._signal.wake()

    def refresh(self) -> None:
        """Reload mappings and shards; stop and start workers accordingly."""
        with self._lock:
            if self._stopping.is_set():
                return
            changed = self._reload()
            partitions = {
                partition
                for state in self._states.values()
                for partition in self._partitions(state)
            }
            unwanted = [
                worker for partition, worker in self._workers.items() if partition not in partitions
            ]
            for worker in unwanted:
                worker.stop()
            for partition in sorted(partitions):
                self._start_worker(partition)
        if changed or unwanted:
            self._signal.wake()

    def stop(self, seconds: float) -> bool:
        """Stop all workers; return False if a function still runs after the timeout."""
        self._stopping.set()
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.stop()
        self._signal.wake()
        deadline = time.monotonic() + seconds
        left = [
            worker for worker in workers if not worker.join(max(0.0, deadline - time.monotonic()))
        ]
        return not left

    def mapping(self, uuid: str) -> EventSourceMapping | None:
        """Return a mapping, or None when it is gone or disabled."""
        state = self._states.get(uuid)
        return state.mapping if state and state.mapping.enabled else None

    def shard(self, uuid: str, shard_id: str) -> Shard | None:
        """Return a shard of a mapping's stream, or None when it is gone."""
        state = self._states.get(uuid)
        return state.shards.get(shard_id) if state else None

    def worker_ended(self, partition: ShardPartition) -> None:
        """Remove a worker that has ended and start those that waited for it."""
        with self._lock:
            self._workers.pop(partition, None)
        self._refresh_and_log_errors()

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self._refresh_and_log_errors()

    def _refresh_and_log_errors(self) -> None:
        try:
            self.refresh()
        except Exception:
            logger.exception("reloading the event source mappings failed")

    def _reload(self) -> bool:
        """Reload all mappings; return whether a mapping or its shards changed."""
        found = {settings["UUID"]: settings for settings in self._backend.mappings()}
        for uuid in self._states.keys() - found.keys():
            del self._states[uuid]
        changes = [self._reload_mapping(settings) for settings in found.values()]
        return any(changes)

    def _reload_mapping(self, settings: dict[str, Any]) -> bool:
        uuid = settings["UUID"]
        state = self._states.get(uuid)
        changed = state is None or state.settings != settings
        if state is None:
            state = self._states[uuid] = _MappingState(
                settings, parse_mapping(settings), Checkpoints(self._backend, uuid), {}
            )
        elif changed:
            state.settings, state.mapping = settings, parse_mapping(settings)
        before = state.shards
        if state.mapping.enabled:
            self._reload_shards(state)
        return changed or state.shards != before

    def _reload_shards(self, state: _MappingState) -> None:
        stream = state.mapping.stream_arn
        state.shards = {shard.shard_id: shard for shard in self._backend.shards(stream)}
        if not state.shards:
            self._backend.report(state.mapping.uuid, f"PROBLEM: Stream not found: {stream}")
            return
        # Children of a shard that is being read begin at their first record.
        latest = state.checkpoints.is_empty and state.mapping.starting_position == "LATEST"
        for shard_id in state.shards:
            position = self._backend.latest(stream, shard_id) if latest else ""
            state.checkpoints.begin(shard_id, position)
        state.checkpoints.forget_trimmed(set(state.shards))

    def _partitions(self, state: _MappingState) -> list[ShardPartition]:
        mapping = state.mapping
        if not mapping.enabled:
            return []
        return [
            ShardPartition(mapping.uuid, shard.shard_id, number, mapping.parallelization)
            for shard in state.shards.values()
            if state.checkpoints.is_ready(shard, set(state.shards))
            for number in range(mapping.parallelization)
        ]

    def _start_worker(self, partition: ShardPartition) -> None:
        # Partitions of an older ParallelizationFactor end first, or records would lose their order.
        others = any(
            other[:2] == partition[:2] and other.partitions != partition.partitions
            for other in self._workers
        )
        if others or partition in self._workers:
            return
        context = WorkerContext(
            self._backend,
            self,
            self._signal,
            self._states[partition.uuid].checkpoints,
            self._clock,
        )
        worker = self._workers[partition] = Worker(partition, context)
        worker.start()
