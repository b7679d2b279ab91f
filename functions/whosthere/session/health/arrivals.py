"""What came of a camera since the last look: records in its data stream, or images in S3.

Rekognition writes a record for each frame that it analyses, with a face or without, and
nobody else sees those without: the mappings filter them out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from whosthere.clock import utc

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetShardIteratorInputTypeDef, RecordTypeDef
    from mypy_boto3_s3 import S3Client


# A look is short. A shard gives 5 answers a second to all its readers, of which the two mappings
# take 2 (Kinesis Data Streams, quotas; Lambda reads once a second). What is left waits.
MOST_ANSWERS = 5


@dataclass(frozen=True, slots=True)
class Arrived:
    """Counts of what came; `last_ms` is when the last of it did, 0 if nothing came.

    An image counts as a record with a face: one that somebody has to use. `whole` is
    whether a look has read all there was.
    """

    records: int = 0
    faces: int = 0  # records with one, that is
    unreadable: int = 0
    last_ms: int = 0
    positions: Mapping[str, str] = field(default_factory=dict)
    whole: bool = True


def arrived(
    kinesis: "KinesisClient", stream: str, positions: Mapping[str, str], since_ms: int
) -> Arrived:
    """Return what came after `positions` (by shard), or since `since_ms` for a new shard."""
    found = Arrived(positions=positions)
    for page in kinesis.get_paginator("list_shards").paginate(StreamName=stream):
        for shard in page["Shards"]:
            found = _read(kinesis, stream, shard["ShardId"], found, since_ms)
    return found


def _read(
    kinesis: "KinesisClient", stream: str, shard: str, found: Arrived, since_ms: int
) -> Arrived:
    start: GetShardIteratorInputTypeDef = {
        "StreamName": stream,
        "ShardId": shard,
        "ShardIteratorType": "AT_TIMESTAMP",
    }
    if last := found.positions.get(shard):
        start |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": last}
    else:
        start["Timestamp"] = utc(since_ms)
    iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
    for _ in range(MOST_ANSWERS):
        answer = kinesis.get_records(ShardIterator=iterator)
        found = _added(found, shard, answer["Records"])
        iterator = answer.get("NextShardIterator")
        if not iterator or not answer["MillisBehindLatest"]:  # a shard that is closed has an end
            return found
    return replace(found, whole=False)


def _added(found: Arrived, shard: str, records: "list[RecordTypeDef]") -> Arrived:
    if not records:
        return found
    kinds = [_has_face(record["Data"]) for record in records]
    last_ms = round(records[-1]["ApproximateArrivalTimestamp"].timestamp() * 1000)
    return replace(
        found,
        records=found.records + len(kinds),
        faces=found.faces + kinds.count(True),
        unreadable=found.unreadable + kinds.count(None),
        last_ms=max(found.last_ms, last_ms),
        positions={**found.positions, shard: records[-1]["SequenceNumber"]},
    )


def _has_face(data: bytes) -> bool | None:
    """Whether the mappings' filter lets it pass, or None if it is not even of a record's kind."""
    try:
        faces = json.loads(data)["FaceSearchResponse"]
        return any("Confidence" in face["DetectedFace"] for face in faces)
    except Exception:  # such as ValueError, or RecursionError of 20,000 brackets
        return None


def images(
    s3: "S3Client", bucket: str, prefix: str, positions: Mapping[str, str], since_ms: int
) -> Arrived:
    """Return a camera's images, by their prefix, after the last key seen and since `since_ms`.

    Of one camera, their keys are in the order of their time (Kinesis Video Streams developer
    guide, "Automated real-time image generation"); a late one may be overlooked.
    """
    found, after = Arrived(positions=positions, whole=False), positions.get(prefix, prefix)
    for _ in range(MOST_ANSWERS):
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after)
        listed = answer.get("Contents", ())
        times = [round(item["LastModified"].timestamp() * 1000) for item in listed]
        new = [time_ms for time_ms in times if time_ms >= since_ms - since_ms % 1000]
        after = listed[-1]["Key"] if listed else after
        found = replace(
            found,
            records=found.records + len(new),
            faces=found.faces + len(new),
            last_ms=max([found.last_ms, *new]),
            positions={prefix: after},
        )
        if not answer["IsTruncated"]:
            return replace(found, whole=True)
    return found
