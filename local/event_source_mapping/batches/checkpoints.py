"""The position of a mapping in each shard: a sequence number, which stays valid after trimming.

A shard has one position per partition (ParallelizationFactor, by partition key).
"""

import threading
from typing import Any

from local.event_source_mapping.model import Backend, Shard


def sort_key(sequence_number: str) -> int:
    """Return the sort key of a sequence number; "" sorts before the first record."""
    return int(sequence_number or 0)


class Checkpoints:
    """The positions of one mapping, saved after each change."""

    def __init__(self, backend: Backend, uuid: str) -> None:
        """Load the positions that were saved for a mapping."""
        self._backend = backend
        self._uuid = uuid
        self._lock = threading.Lock()
        self._shards: dict[str, Any] = backend.load_checkpoints(uuid)

    @property
    def is_empty(self) -> bool:
        """Return whether the mapping has not started to read any shard."""
        return not self._shards

    def begin(self, shard_id: str, position: str) -> None:
        """Set where a shard is read from, unless it has a position already."""
        with self._lock:
            if shard_id not in self._shards:
                self._shards[shard_id] = {"positions": [position], "finished": []}
                self._save()

    def position(self, shard_id: str, partition: int, partitions: int) -> str:
        """Return a partition's position; when their number changes all start at the slowest."""
        with self._lock:
            shard = self._shards[shard_id]
            if len(shard["positions"]) != partitions:
                shard["positions"] = [min(shard["positions"], key=sort_key)] * partitions
                shard["finished"] = []
            return str(shard["positions"][partition])

    def advance(self, shard_id: str, partition: int, sequence_number: str) -> None:
        """Move a partition's position forward."""
        with self._lock:
            self._shards[shard_id]["positions"][partition] = sequence_number
            self._save()

    def finish(self, shard_id: str, partition: int) -> None:
        """Record that a partition has read a closed shard to its end."""
        with self._lock:
            finished = self._shards[shard_id]["finished"]
            if partition not in finished:
                finished.append(partition)
                self._save()

    def is_finished(self, shard_id: str) -> bool:
        """Return whether every partition has read a closed shard to its end."""
        with self._lock:
            shard = self._shards.get(shard_id)
            return shard is not None and len(shard["finished"]) == len(shard["positions"])

    def is_ready(self, shard: Shard, known: set[str]) -> bool:
        """Return whether a shard may be read: it has more, and its parents are read or trimmed."""
        return not self.is_finished(shard.shard_id) and all(
            self.is_finished(parent) for parent in shard.parents if parent in known
        )

    def forget_trimmed(self, known: set[str]) -> None:
        """Delete the positions of shards that the stream no longer has."""
        with self._lock:
            gone = self._shards.keys() - known
            for shard_id in gone:
                del self._shards[shard_id]
            if gone:
                self._save()

    def _save(self) -> None:
        self._backend.save_checkpoints(
            self._uuid,
            {
                shard_id: {
                    "positions": list(shard["positions"]),
                    "finished": list(shard["finished"]),
                }
                for shard_id, shard in self._shards.items()
            },
        )
