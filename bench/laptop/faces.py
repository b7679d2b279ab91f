"""Face search of video frames with one face, beside the bare library calls on the same frames.

The pool is the one that stream processors use, with one worker on one core and with two on
two. Bare are dlib's detector, its landmarks and aligned face, and the recognition network (as
numpy computes it here, which is faster than dlib's own code), in a loop on one core. They take
turns, so that whatever else the machine does meets all alike; the time that processors were
busy is printed besides, because it hardly depends on that.
"""

import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import dlib
import numpy as np

from bench.measure import measure
from local.rekognition.processors.video import rgb
from local.rekognition.worker.faces import CHIP_SIZE, models
from local.rekognition.worker.network import Network
from local.rekognition.worker.pool import WorkerPool
from local.rekognition.worker.process import FEW_THREADS, ROOT

TURNS, FRAMES, EVERY = 7, 12, 5
SIZE = (640, 480)
# At least 0.9 of the bare calls' speed on one core, 1.7 times with both.
ONE, BOTH = "time on one core (bare = 1)", "time on both cores (bare = 1)"
LIMITS = {ONE: 1 / 0.9, BOTH: 1 / 1.7}
middle = statistics.median


class Bare:
    """The library calls, and nothing else."""

    def __init__(self) -> None:
        """Load the models."""
        self._detector = dlib.get_frontal_face_detector()
        self._five = dlib.shape_predictor(str(models() / "shape_predictor_5_face_landmarks.dat"))
        self._many = dlib.shape_predictor(str(models() / "shape_predictor_68_face_landmarks.dat"))
        self._network = Network(models() / "dlib_face_recognition_resnet_model_v1.dat")

    def search(self, pixels: Any) -> int:
        """Find all faces of a frame and their vectors; return how many."""
        boxes = self._detector(pixels, 0)
        for box in boxes:
            self._many(pixels, box)
            five = self._five(pixels, box)
            self._network.vector(dlib.get_face_chip(pixels, five, CHIP_SIZE))
        return len(boxes)


def film(bare: Bare) -> list[Any]:
    """Frames of the demo's film in which there is one face."""
    found: list[Any] = []
    with av.open(str(ROOT / "demo" / "film.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % EVERY == 0:
                (width, height), pixels = rgb(frame)
                assert (width, height) == SIZE
                array = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
                found += [array] if bare.search(array) == 1 else []
            if len(found) == FRAMES:
                return found
    sys.exit("the film has too few frames with one face")


def pooled(pool: WorkerPool, frames: list[Any]) -> None:
    """As a stream processor does: one frame for each worker, and one to follow."""
    waiting: deque[Any] = deque()
    for frame in frames:
        if len(waiting) > pool.size:
            assert len(waiting.popleft().result()) == 1
        waiting.append(pool.analyze_frame(frame.tobytes(), SIZE))
    while waiting:
        assert len(waiting.popleft().result()) == 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What some work took: by the clock, and of the processors, our children's included."""

    seconds: float
    processor_seconds: float


def cost(work: Callable[[], Any], cores: set[int]) -> Cost:
    """Measure what some work takes on some cores."""
    os.sched_setaffinity(0, cores)
    clock, busy = time.perf_counter(), processor_seconds()
    work()
    return Cost(time.perf_counter() - clock, processor_seconds() - busy)


def processor_seconds() -> float:
    """Return the CPU time of this process and of its running children."""
    tasks = Path("/proc/self/task").iterdir()
    children = [pid for task in tasks for pid in (task / "children").read_text().split()]
    ticks = 0
    for pid in ["self", *children]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> bool:
    """Start everything, and measure until five runs are done."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("this takes two cores")
    one, both = {cores[0]}, set(cores)
    bare = Bare()
    frames = film(bare)
    os.sched_setaffinity(0, one)  # what starts from here inherits it
    single = WorkerPool(1)
    single.warm()
    os.sched_setaffinity(0, both)
    double = WorkerPool(2)
    double.warm()
    lots: dict[str, tuple[Callable[[], Any], set[int]]] = {
        "bare": (lambda: [bare.search(frame) for frame in frames], one),
        ONE: (lambda: pooled(single, frames), one),
        BOTH: (lambda: pooled(double, frames), both),
    }

    def once() -> Mapping[str, float]:
        turns = [{name: cost(*lot) for name, lot in lots.items()} for _ in range(TURNS)]
        bares = [turn["bare"] for turn in turns]
        single_lots = [turn[ONE] for turn in turns]
        return {
            **{name: middle(turn[name].seconds / turn["bare"].seconds for turn in turns)
               for name in LIMITS},
            "processor time with one worker (bare = 1)": middle(
                lot.processor_seconds / bare.processor_seconds
                for lot, bare in zip(single_lots, bares, strict=True)
            ),
            "bare milliseconds a frame": 1000 * middle(lot.seconds for lot in bares) / FRAMES,
        }  # fmt: skip

    try:
        return measure(once, LIMITS)
    finally:
        single.close()
        double.close()


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in FEW_THREADS.items()):
        # The workers have one thread for each, so the bare calls get no more; it is read at start.
        os.execve(sys.executable, [sys.executable, "-m", "bench.laptop.faces", *sys.argv[1:]],
                  {**os.environ, **FEW_THREADS})  # fmt: skip
    sys.exit(0 if main() else 1)
