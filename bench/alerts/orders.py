"""Deliver the frames of a scene late, twice and out of order, by both engines.

Each order has to give the visits, alerts and strangers of the frames in order. The table, the
bucket and Rekognition are in memory.
"""

import random
import sys
from collections.abc import Mapping

from bench.measure import measure
from tests.support.records.stranger_harness import a_table_and_a_bucket
from tests.support.records.two_engines import (
    SCENE,
    ImagesEngine,
    ProcessorEngine,
    differences,
    mixed,
    outcome_of,
)

ORDERS = 20
LIMITS = {"orders with other visits": 0.0}


def once() -> Mapping[str, float]:
    """Deliver the scene in that many orders, half of them by each engine."""
    seeds = [random.randrange(2**32) for _ in range(ORDERS)]  # noqa: S311
    with a_table_and_a_bucket() as shared:
        wanted = outcome_of(ProcessorEngine, shared, list(SCENE))
        other = []
        for number, seed in enumerate(seeds):
            engine = (ProcessorEngine, ImagesEngine)[number % 2]
            order = mixed(random.Random(seed))  # noqa: S311
            if differences(wanted, outcome_of(engine, shared, order)):
                other.append(f"{engine.__name__} {seed}")
    if other:
        print("other visits:", ", ".join(other))
    return {"orders with other visits": float(len(other))}


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
