"""Quotas of AWS that are shared by all cameras, each with its source, and where each is met.

"Most" is the most of all cameras at the same moment: somebody is at every door. Quotas are the
defaults of an account; AWS raises most of them on request.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.fleet.run import FleetCounts

REKOGNITION = "Rekognition endpoints and quotas"
LAMBDA = "Lambda quotas"
STEP_FUNCTIONS = "Step Functions service quotas"
VIDEO = "Kinesis Video Streams quotas"
PARTITIONS = "DynamoDB, Best practices for designing and using partition keys"
CLOUDFORMATION = "CloudFormation quotas"
PROCESSOR, IMAGES, BOTH = "stream-processor", "image-search", "both"

MAPPINGS = 2  # of a camera's data stream; each invokes one function at a time (Lambda, Kinesis)
CHECK_SECONDS = 60  # the setting healthCheckSeconds
TRANSITIONS = 3  # of a check: CheckSession, WhatNext, Sleep
STOP_SECONDS = 360  # the timeout of stop_session
RESOURCES = 500  # of a stack
OWN_RESOURCES, CAMERA_RESOURCES = 71, 4  # of the template without a camera, and of one camera
IMAGES_A_SECOND = 1  # samplingSeconds, with one face in each image
WRITE_UNITS, READ_UNITS = 1000, 3000
LONGEST_NAME = 33  # of a camera, with the comma


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota, how much of it one camera takes at most, and at how many cameras it is met."""

    engine: str
    what: str
    quota: int
    each: float
    source: str

    @property
    def cameras(self) -> int:
        """Return the most cameras within the quota."""
        return int(self.quota / self.each)


def limits(alone: FleetCounts) -> Iterator[Limit]:
    """Yield the limits; those of shared partitions by what one camera alone has taken."""
    yield Limit(PROCESSOR, "stream processors that run at once", 10, 1, REKOGNITION)
    yield Limit(PROCESSOR, "functions at once, in a new account", 10, MAPPINGS, LAMBDA)
    yield Limit(PROCESSOR, "functions at once", 1000, MAPPINGS, LAMBDA)
    stops = f"StopStreamProcessor 1 a second, within {STOP_SECONDS} s"
    yield Limit(PROCESSOR, stops, STOP_SECONDS, 1, REKOGNITION)
    yield Limit(PROCESSOR, "shards, in small Regions", 1000, 1, "Kinesis Data Streams quotas")
    yield from _images()
    left = RESOURCES - OWN_RESOURCES
    name = f"resources of a stack, but for its {OWN_RESOURCES}"
    yield Limit(BOTH, name, left, CAMERA_RESOURCES, CLOUDFORMATION)
    yield Limit(BOTH, "bytes of the parameter Cameras", 4096, LONGEST_NAME, CLOUDFORMATION)
    yield Limit(BOTH, "video streams", 10_000, 1, VIDEO)
    yield Limit(BOTH, "GetDataEndpoint a second", 300, 1 / CHECK_SECONDS, VIDEO)
    transitions = TRANSITIONS / CHECK_SECONDS
    yield Limit(BOTH, "transitions a second, small Regions", 800, transitions, STEP_FUNCTIONS)
    yield from _partitions(alone)


def _images() -> Iterator[Limit]:
    for call, quota, small in (("SearchFacesByImage", 50, 5), ("DetectFaces", 100, 25)):
        yield Limit(IMAGES, f"{call} a second", quota, IMAGES_A_SECOND, REKOGNITION)
        yield Limit(IMAGES, f"{call}, small Regions", small, IMAGES_A_SECOND, REKOGNITION)


def _partitions(alone: FleetCounts) -> Iterator[Limit]:
    """Yield the partitions that all cameras share, if each takes its most in the same second."""
    for kind in ("day", "strangers", "people", "mute"):
        for peaks, quota, what in (
            (alone.written_peaks, WRITE_UNITS, "written"),
            (alone.read_peaks, READ_UNITS, "read"),
        ):
            if peaks[kind]:
                name = f"units {what} a second, partition `{kind}`"
                yield Limit(BOTH, name, quota, peaks[kind], PARTITIONS)
