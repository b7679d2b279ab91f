"""Measure how much resident memory an hour of video, sent fast, adds to the laptop AWS."""

import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bench.laptop.cameras import Camera, Film
from bench.laptop.memory import megabytes
from bench.measure import measure
from local.laptop import LaptopAWS

KILOBITS = 512
SECONDS = 3600
WARM_SECONDS = 60  # of video that is no part of the hour: what is loaded once is loaded then
LONGEST_SESSION = 2400
LIMITS = {"megabytes": 50}


@cache
def film() -> Film:
    """Encode the film once."""
    return Film(KILOBITS)


def once() -> Mapping[str, float]:
    """Send and store an hour of fragments of one second each."""
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder)) as laptop:
        video = laptop.client("kinesisvideo")
        for name in "warm", "door":
            video.create_stream(StreamName=name, DataRetentionInHours=2)
        _send(laptop, "warm", 0, WARM_SECONDS)
        before = megabytes(laptop)
        for first in range(0, SECONDS, LONGEST_SESSION):
            _send(laptop, "door", first, min(LONGEST_SESSION, SECONDS - first))
        return {"megabytes": megabytes(laptop) - before}


def _send(laptop: LaptopAWS, stream: str, first: int, seconds: int) -> None:
    camera = Camera(laptop, stream, film())
    camera.play(seconds, in_real_time=False, first=first)
    camera.end()


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
