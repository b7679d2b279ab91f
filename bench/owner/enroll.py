"""Enroll 500 photos on the laptop AWS, beside the bare face network on one core.

The bare network finds the faces of a photo, small ones too, and the vector of the largest, as
IndexFaces does. Enrolling takes more: DetectFaces has judged the photo and found its faces before,
and SearchFaces says who else looks like that.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import measure
from cli.progress import Progress
from cli.setup.laptop_stack import NAME, Sam, Stack, bring_up, drop_aws_settings
from local.laptop import ROOT, LaptopAWS

DOWNLOADS = drop_aws_settings()
PHOTOS, PEOPLE = 500, 50
LONGEST_S = 1800
SLOWER = "time of a photo (the bare network's is 1)"
LIMITS = {SLOWER: 1 / 0.8}
BARE = """
import sys, time
import numpy as np
from PIL import Image
from local.rekognition.worker.faces import FaceAnalyzer
bare = FaceAnalyzer()
photos = [np.array(Image.open(path).convert("RGB")) for path in sys.argv[1:]]
def search(photo):
    return bare.faces(photo, search_small=True, vectors=1)
found = [search(photo) for photo in photos]
begun = time.perf_counter()
for _ in range(10):
    for photo in photos:
        search(photo)
print((time.perf_counter() - begun) / (10 * len(photos)))
"""


def once() -> Mapping[str, float]:
    """Deploy the stack, measure the network, then enroll."""
    paths = sorted((ROOT / "demo" / "people").glob("*/*.jpg"))
    with tempfile.TemporaryDirectory() as folder:
        sam = Sam("stream-processor", Path(folder), DOWNLOADS, verbose=False)
        laptop = LaptopAWS(Path(folder) / "laptop")
        try:
            stack = bring_up(laptop, sam, Progress(to_stderr=True))
            _enroll(laptop, stack, paths, range(8))  # to get warm
            bare = _bare_seconds(paths)
            seconds = _enroll(laptop, stack, paths, range(8, 8 + PHOTOS)) / PHOTOS
            return {
                SLOWER: seconds / bare,
                "photos a second": 1 / seconds,
                "bare photos a second": 1 / bare,
            }
        finally:
            laptop.stop()


def _bare_seconds(paths: list[Path]) -> float:
    python = ROOT / ".whosthere" / "emulator" / "bin" / "python"
    command = [str(python), "-c", BARE, *map(str, paths)]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    return float(ran.stdout)


def _enroll(laptop: LaptopAWS, stack: Stack, paths: list[Path], numbers: range) -> float:
    """Put photos into the bucket; return the seconds until each has a face in the collection."""
    contents = [path.read_bytes() for path in paths]
    s3, rekognition = laptop.client("s3"), laptop.client("rekognition")

    def put(number: int) -> None:
        body = contents[number % len(contents)] + b"%d" % number  # of each photo bytes of its own
        key = f"people/Person {number % PEOPLE}/{number}.jpg"
        s3.put_object(Bucket=stack.bucket, Key=key, Body=body)

    def faces() -> int:
        pages = rekognition.get_paginator("list_faces").paginate(CollectionId=f"{NAME}-people")
        return len(list(itertools.chain.from_iterable(page["Faces"] for page in pages)))

    wanted = faces() + len(numbers)
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, numbers))
    while faces() < wanted:
        if time.monotonic() - begun > LONGEST_S:
            sys.exit(f"only {faces()} of {wanted} faces are enrolled")
        time.sleep(0.5)
    return time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS, runs=1) else 1)
