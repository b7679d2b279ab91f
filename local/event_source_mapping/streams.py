"""The emulator's data streams as the mappings read them, with the shards that resharding closed.

The emulator drops a shard together with its unread records when it is split or merged; Kinesis
keeps it, closed, until its records expire
(https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html).
"""

import base64
import bisect
import time
from collections.abc import Callable, Mapping
from typing import Any

from local import ministack
from local.event_source_mapping.model import Record, Shard

# Stored beside the emulator's own keys, so that they are deleted with the stream.
CLOSED = "closed_shards"
PARENTS = "parents"
CLOSED_AT = "closed_at"

type Store = dict[str, Any]
type Operation = Callable[[Store], Any]


def stream_of(stream_arn: str) -> Store | None:
    """Return the emulator's state of a stream, or None if it is not active."""
    stream = _find(stream_arn)
    if stream:
        ministack.ENSURE_ACTIVE.get()(stream)
    return stream if stream and stream["StreamStatus"] == "ACTIVE" else None


def is_known(stream_arn: str) -> bool:
    """Return whether there is such a stream, active or not."""
    return _find(stream_arn) is not None


def _find(stream_arn: str) -> Store | None:
    account, name = stream_arn.split(":")[4], stream_arn.rsplit("/", 1)[-1]
    found: Store | None = ministack.STREAMS.get().get_scoped(account, ministack.REGION, name)
    return found


def shards(stream_arn: str) -> list[Shard]:
    """Return the open shards of a stream, and the closed ones whose records have not expired."""
    stream = stream_of(stream_arn)
    if stream is None:
        return []
    _expire(stream)
    kept = [
        Shard(name, _parents(shard), closed=True) for name, shard in stream.get(CLOSED, {}).items()
    ]
    return kept + [Shard(name, _parents(shard)) for name, shard in list(stream["shards"].items())]


def records(stream_arn: str, shard_id: str, *, after: str, limit: int) -> list[Record]:
    """Return the oldest records of a shard after a sequence number."""
    held = _held(stream_arn, shard_id)
    # All have as many digits, so they sort as text too.
    start = bisect.bisect_right(held, after, key=_sequence_number)
    return [_record(item) for item in held[start : start + limit]]


def latest(stream_arn: str, shard_id: str) -> str:
    """Return the newest sequence number of a shard, or "" if it has no record."""
    held = _held(stream_arn, shard_id)
    return _sequence_number(held[-1]) if held else ""


def keep_closed_shards(changed: Callable[[], None]) -> None:
    """Patch the emulator to keep shards that resharding closes; call `changed` when it happens."""
    for name in (ministack.SPLIT_SHARD, ministack.MERGE_SHARDS):
        name.replace(_keeping(name.get(), changed, _keep))
    resize = ministack.RESIZE_STREAM
    resize.replace(_keeping(resize.get(), changed, _keep_all))


def _keeping(
    operation: Operation, changed: Callable[[], None], keep: Callable[[Store, Store], None]
) -> Operation:
    def keeping(data: Store) -> Any:
        _, stream = ministack.STREAM_OF.get()(data)
        before = dict(stream["shards"]) if stream else {}
        answer = operation(data)
        if stream:
            keep(stream, before)
            changed()
        return answer

    return keeping


def _keep(stream: Store, before: Store) -> None:
    gone = {name: shard for name, shard in before.items() if name not in stream["shards"]}
    for shard in gone.values():
        shard[CLOSED_AT] = time.time()
    stream.setdefault(CLOSED, {}).update(gone)


def _keep_all(stream: Store, before: Store) -> None:
    """Keep all shards after UpdateShardCount and give the new ones new names and parents."""
    if stream["shards"] == before:
        return
    taken = [int(name.rpartition("-")[2]) for name in [*before, *stream.get(CLOSED, {})]]
    fresh = list(stream["shards"].values())
    for shard in fresh:
        shard[PARENTS] = list(before)
    start = max(taken, default=-1) + 1
    stream["shards"] = {
        f"shardId-{number:012d}": shard for number, shard in enumerate(fresh, start)
    }
    _keep(stream, before)


def _expire(stream: Store) -> None:
    oldest = time.time() - stream["RetentionPeriodHours"] * 3600
    closed = stream.get(CLOSED, {})
    for name in [name for name, shard in closed.items() if shard[CLOSED_AT] < oldest]:
        del closed[name]


def _parents(shard: Mapping[str, Any]) -> tuple[str, ...]:
    named = (shard.get("parent_shard_id"), shard.get("adjacent_parent_shard_id"))
    return tuple(shard.get(PARENTS) or (name for name in named if name))


def _held(stream_arn: str, shard_id: str) -> list[Store]:
    stream = stream_of(stream_arn) or {"shards": {}}
    shard = stream["shards"].get(shard_id) or stream.get(CLOSED, {}).get(shard_id)
    return shard["records"] if shard else []


def _sequence_number(item: Mapping[str, Any]) -> str:
    return str(item["SequenceNumber"])


def _record(item: Mapping[str, Any]) -> Record:
    return Record(
        _sequence_number(item),
        float(item["ApproximateArrivalTimestamp"]),
        item["PartitionKey"],
        _data(item["Data"]),
    )


def _data(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        # A client did not encode it; the emulator takes that and gives it to others as it is.
        return text.encode()
