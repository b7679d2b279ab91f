"""Keeps a worker for every lane of every enabled mapping, as mappings and shards come and go."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.event_source_mapping.checkpoints import Checkpoints
from local.event_source_mapping.lane import Lane
from local.event_source_mapping.mapping import Mapping, mapping_of
from local.event_source_mapping.model import Backend, Shard
from local.event_source_mapping.signal import Signal
from local.event_source_mapping.worker import Surroundings, Worker

logger = logging.getLogger(__name__)

# Changes of mappings and shards are told; this finds what nobody told.
TICK_SECONDS = 1.0


@dataclass(slots=True)
class _Known:
    settings: dict[str, Any]
    mapping: Mapping
    checkpoints: Checkpoints
    shards: dict[str, Shard]


class EventSourceMappings:
    """Lambda's pollers of Kinesis data streams."""

    def __init__(self, backend: Backend, *, clock: Callable[[], float] = time.time) -> None:
        self._backend = backend
        self._clock = clock
        self._signal = Signal()
        self._lock = threading.RLock()
        self._known: dict[str, _Known] = {}
        self._workers: dict[Lane, Worker] = {}
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="mappings", daemon=True)

    def start(self) -> None:
        """Begin to serve the mappings."""
        self.refresh()
        self._ticker.start()

    def wake(self) -> None:
        """Hear that a stream has new records."""
        self._signal.wake()

    def refresh(self) -> None:
        """Hear that mappings or shards may have changed."""
        with self._lock:
            if self._stopping.is_set():
                return
            changed = self._look()
            lanes = {lane for known in self._known.values() for lane in self._lanes(known)}
            unwanted = [worker for lane, worker in self._workers.items() if lane not in lanes]
            for worker in unwanted:
                worker.stop()
            for lane in sorted(lanes):
                self._serve(lane)
        if changed or unwanted:
            self._signal.wake()

    def stop(self, seconds: float) -> bool:
        """End all workers; False if a function was still running after so long."""
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

    def mapping(self, uuid: str) -> Mapping | None:
        """Give a mapping, or None when it is gone or disabled."""
        known = self._known.get(uuid)
        return known.mapping if known and known.mapping.enabled else None

    def shard(self, uuid: str, shard_id: str) -> Shard | None:
        """Give a shard of a mapping's stream, or None when it is gone."""
        known = self._known.get(uuid)
        return known.shards.get(shard_id) if known else None

    def ended(self, lane: Lane) -> None:
        """Forget a worker that is at its end; what waited for that begins."""
        with self._lock:
            self._workers.pop(lane, None)
        self._refresh_by_itself()

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            self._refresh_by_itself()

    def _refresh_by_itself(self) -> None:
        try:
            self.refresh()
        except Exception:
            logger.exception("looking after the mappings failed")

    def _look(self) -> bool:
        """Learn what there is; True if a mapping or its shards are not as before."""
        found = {settings["UUID"]: settings for settings in self._backend.mappings()}
        for uuid in self._known.keys() - found.keys():
            del self._known[uuid]
        changes = [self._look_at(settings) for settings in found.values()]
        return any(changes)

    def _look_at(self, settings: dict[str, Any]) -> bool:
        uuid = settings["UUID"]
        known = self._known.get(uuid)
        changed = known is None or known.settings != settings
        if known is None:
            known = self._known[uuid] = _Known(
                settings, mapping_of(settings), Checkpoints(self._backend, uuid), {}
            )
        elif changed:
            known.settings, known.mapping = settings, mapping_of(settings)
        before = known.shards
        if known.mapping.enabled:
            self._look_at_shards(known)
        return changed or known.shards != before

    def _look_at_shards(self, known: _Known) -> None:
        stream = known.mapping.stream_arn
        known.shards = {shard.shard_id: shard for shard in self._backend.shards(stream)}
        if not known.shards:
            self._backend.report(known.mapping.uuid, f"PROBLEM: Stream not found: {stream}")
            return
        # Children of a shard that is being read begin at their first record.
        latest = known.checkpoints.empty and known.mapping.starting_position == "LATEST"
        for shard_id in known.shards:
            position = self._backend.latest(stream, shard_id) if latest else ""
            known.checkpoints.begin(shard_id, position)
        known.checkpoints.forget_trimmed(set(known.shards))

    def _lanes(self, known: _Known) -> list[Lane]:
        mapping = known.mapping
        if not mapping.enabled:
            return []
        return [
            Lane(mapping.uuid, shard.shard_id, number, mapping.parallelization)
            for shard in known.shards.values()
            if known.checkpoints.ready(shard, set(known.shards))
            for number in range(mapping.parallelization)
        ]

    def _serve(self, lane: Lane) -> None:
        # Lanes of another ParallelizationFactor end before new ones begin, or order would be lost.
        others = any(other[:2] == lane[:2] and other.lanes != lane.lanes for other in self._workers)
        if others or lane in self._workers:
            return
        around = Surroundings(
            self._backend,
            self,
            self._signal,
            self._known[lane.uuid].checkpoints,
            self._clock,
        )
        worker = self._workers[lane] = Worker(lane, around)
        worker.start()
