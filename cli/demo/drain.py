"""Find out when all that the film showed has been processed.

The stream processor writes a record for each frame, also without a face, into the data stream.
Reading it shows how far the analysis is, and how many records with faces the functions have to
count.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from cli.setup.laptop_stack import CAMERA, NAME, Stack, table_of
from local.laptop import LaptopAWS

# How long the table has to stay unchanged. Images may come only once a second.
QUIET_SECONDS = {"stream-processor": 2.0, "image-search": 5.0}
DRAIN_TIMEOUT_SECONDS = 20.0  # after the film; then the session ends as it is
SAMPLE_SECONDS = 1.5  # at the film's end that a processor, which samples, may skip
STALL_SECONDS = 5.0  # without a new record: the processor has finished


# Rows that health checks write; of a session's own row they write all but the counts.
BY_CHECKS = ("lock", "health")


class DrainMonitor:
    """Watches a session after the film, until nothing more is to come."""

    def __init__(self, laptop: LaptopAWS, stack: Stack, session_id: str, engine: str) -> None:
        """Start the time limit; reads nothing yet."""
        self._kinesis = laptop.client("kinesis")
        self._table = table_of(laptop, stack)
        self._session_id = session_id
        self._has_stream = engine == "stream-processor"
        self._quiet_seconds = QUIET_SECONDS[engine]
        self._iterator = ""
        self._faces = 0
        self._analysed = 0.0
        self._since = time.monotonic()
        self._seen: list[Any] = []
        self._changed = self._last_record = self._since

    def is_drained(self, film_end: float) -> bool:
        """Return whether all video captured until `film_end`, in epoch seconds, is processed."""
        now = time.monotonic()
        if now - self._since > DRAIN_TIMEOUT_SECONDS:
            return True
        rows = self._table.scan(ConsistentRead=True)["Items"]
        seen = [_of_records(row) for row in rows if row["sk"] not in BY_CHECKS]
        if seen != self._seen:
            self._seen, self._changed = seen, now
        quiet = now - self._changed > self._quiet_seconds
        if not self._has_stream:
            return quiet
        self._read_stream()
        over = self._analysed >= film_end - SAMPLE_SECONDS
        analysed = over or now - self._last_record > STALL_SECONDS
        return analysed and quiet and self._counted_records(rows) >= self._faces

    def _counted_records(self, rows: list[dict[str, Any]]) -> int:
        key = f"session#{self._session_id}"
        own = [row for row in rows if (row["pk"], row["sk"]) == (key, "session")]
        return sum(int(row["counts"].get("records", 0)) for row in own)

    def _read_stream(self) -> None:
        self._iterator = self._iterator or self._first_iterator()
        while True:
            answer = self._kinesis.get_records(ShardIterator=self._iterator)
            self._iterator = answer["NextShardIterator"]
            if not answer["Records"]:
                return
            self._last_record = time.monotonic()
            for record in answer["Records"]:
                self._add(json.loads(record["Data"]))

    def _add(self, record: Mapping[str, Any]) -> None:
        video = record["InputInformation"]["KinesisVideo"]
        at = float(video["ProducerTimestamp"]) + float(video["FrameOffsetInSeconds"])
        self._analysed = max(self._analysed, at)
        self._faces += bool(record["FaceSearchResponse"])

    def _first_iterator(self) -> str:
        stream = f"{NAME}-{CAMERA}"
        shard = self._kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
        answer = self._kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )
        return str(answer["ShardIterator"])


def _of_records(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what records change of a row."""
    return row["counts"] if row["sk"] == "session" else row
