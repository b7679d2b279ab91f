"""The unit of work of one worker: a partition of a shard."""

import zlib
from typing import NamedTuple

from local.event_source_mapping.model import Record


class ShardPartition(NamedTuple):
    """One of the ParallelizationFactor shares of one shard, for one mapping."""

    uuid: str
    shard_id: str
    number: int = 0
    partitions: int = 1

    def has(self, record: Record) -> bool:
        """Return whether a record belongs to this partition, by the hash of its partition key."""
        return zlib.crc32(record.partition_key.encode()) % self.partitions == self.number
