"""Measure how soon fragments are acknowledged: four cameras in real time, one in a session."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bench.laptop.cameras import Camera, Film
from bench.measure import measure
from cli.progress import Progress
from cli.setup.laptop_stack import CAMERA, NAME, Sam, Stack, bring_up, drop_aws_settings
from local.laptop import LaptopAWS

KILOBITS = 2000
SECONDS = 60
WARM_SECONDS = 90  # at most, until the session's processor runs
OTHERS = ("yard", "gate", "shed")
DOWNLOADS = drop_aws_settings()
LIMITS = {"median ms": 100, "p99 ms": 100}


@cache
def film() -> Film:
    """Encode the film once."""
    return Film(KILOBITS)


def once() -> Mapping[str, float]:
    """Start the laptop AWS once and send a minute of four cameras."""
    film()
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        sam = Sam("stream-processor", logs, DOWNLOADS, verbose=False)
        laptop = LaptopAWS(logs / "laptop")
        try:
            stack = bring_up(laptop, sam, Progress(to_stderr=True))
            return _figures(laptop, stack)
        finally:
            laptop.stop()


def _figures(laptop: LaptopAWS, stack: Stack) -> Mapping[str, float]:
    video = laptop.client("kinesisvideo")
    for name in OTHERS:
        video.create_stream(StreamName=name, DataRetentionInHours=1)
    watched = Camera(laptop, f"{NAME}-{CAMERA}", film())
    warm = _until_watched(laptop, stack, watched)
    cameras = [watched, *(Camera(laptop, name, film()) for name in OTHERS)]
    with ThreadPoolExecutor(len(cameras)) as pool:
        list(pool.map(lambda camera: camera.play(SECONDS), cameras))
        took = [camera.end() for camera in cameras]
    seconds = [each for camera in took for start, each in camera.items() if start not in warm]
    if not _records(laptop):
        sys.exit("the session analysed nothing")
    return {
        "median ms": statistics.median(seconds) * 1000,
        "p99 ms": statistics.quantiles(seconds, n=100)[98] * 1000,
        "longest ms": max(seconds) * 1000,
    }


def _until_watched(laptop: LaptopAWS, stack: Stack, camera: Camera) -> set[int]:
    """Start a session and send video until it runs; return the fragments sent until then."""
    laptop.client("stepfunctions").start_execution(
        stateMachineArn=stack.machine_arn, input=json.dumps({"camera": CAMERA, "minutes": 5})
    )
    until = time.monotonic() + WARM_SECONDS
    while not _is_running(laptop):
        if time.monotonic() > until:
            sys.exit("the session does not run")
        camera.play(1)
    return set(camera.sent)


def _is_running(laptop: LaptopAWS) -> bool:
    listed = laptop.client("rekognition").list_stream_processors()
    return any(one["Status"] == "RUNNING" for one in listed["StreamProcessors"])


def _records(laptop: LaptopAWS) -> int:
    """Return how many records the session's processor has written."""
    kinesis, stream = laptop.client("kinesis"), f"{NAME}-{CAMERA}"
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    place = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    return len(kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"])


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
