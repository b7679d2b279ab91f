"""What a session of a given length costs at most, before it runs."""

import math
from dataclasses import dataclass

from whosthere.costs.calculator import Cost, added, cost_of
from whosthere.costs.prices import PriceTable
from whosthere.costs.usage import (
    DETECT,
    GB,
    READS_OF_IMAGE,
    SEARCH,
    STREAM_PROCESSOR,
    WRITES_OF_IMAGE,
    usage_of_images,
    usage_of_storage,
)

# The highest rate at which the edge encodes (edge/options.py, --bitrate). A camera whose H.264
# is passed on may send more.
VIDEO_BITS_PER_S = 4_000_000
# A check and its sleep: CheckSession, WhatNext, Sleep (statemachine/session.asl.yaml). What is
# entered once: the states before the loop, the start of the engine, and the end.
TRANSITIONS_OF_CHECK, TRANSITIONS_ONCE = 3, 20
# Taken for each invocation, as nobody has measured it on AWS: a second.
INVOCATION_S = 1.0
CHECK_GB, IMAGE_GB, RECORDS_GB = 0.5, 1.0, 1.5  # MemorySize in template.yaml


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session's cost depends on; `faces` is how many are in each image.

    `checks_s` is the time between two checks, `kept_hours` how long video is kept.
    """

    engine: str
    minutes: float
    sampling_s: float = 1.0
    checks_s: float = 60
    kept_hours: float = 24
    faces: float = 1
    architecture: str = "x86_64"


def planned_usage(plan: SessionPlan) -> dict[str, float]:
    """Return the most that a session uses: video, motion and a face in all of its time."""
    seconds = 60 * plan.minutes
    gigabytes = VIDEO_BITS_PER_S / 8 * seconds / GB
    checks = math.ceil(seconds / plan.checks_s)
    usage = {
        "video-in": gigabytes,
        "transitions": float(TRANSITIONS_OF_CHECK * checks + TRANSITIONS_ONCE),
        "lambda-requests": float(checks),
        f"lambda-{plan.architecture}": checks * CHECK_GB * INVOCATION_S,
    }
    own = _of_processor if plan.engine == STREAM_PROCESSOR else _of_images
    stored = usage_of_storage(plan.engine, plan.minutes / 60, gigabytes, plan.kept_hours)
    return added([usage, stored, own(plan, gigabytes)])


def most_of_session(plan: SessionPlan, prices: PriceTable) -> Cost:
    """Return what the session costs at most, line by line."""
    return cost_of(planned_usage(plan), prices)


def _of_processor(plan: SessionPlan, gigabytes: float) -> dict[str, float]:
    """Return a processor's usage; Lambda reads each mapping's batch about once a second."""
    batches = 2 * 60 * plan.minutes
    return {
        "face-search": float(math.ceil(plan.minutes)),
        "video-read": gigabytes,
        "data-records": 60 * plan.minutes,
        "lambda-requests": batches,
        f"lambda-{plan.architecture}": batches / 2 * RECORDS_GB * INVOCATION_S,
    }


def _of_images(plan: SessionPlan, _gigabytes: float) -> dict[str, float]:
    images = float(math.ceil(60 * plan.minutes / plan.sampling_s))
    return {
        DETECT: images,
        SEARCH: images * plan.faces,
        "bucket-reads": images,
        "table-reads": READS_OF_IMAGE * images,
        "table-writes": WRITES_OF_IMAGE * images,
        **usage_of_images(images),
        f"lambda-{plan.architecture}": images * IMAGE_GB * INVOCATION_S,
    }
