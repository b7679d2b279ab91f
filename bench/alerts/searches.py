"""Face searches that image-search needs where it follows faces, beside one per face and image.

The images of a video go through the product's own code, with the laptop's face network and moto's
table and bucket: once with a search of each face in each image, once with the default settings.
Visits, people and strangers of both are printed, and have to be the same. With `--tag face` the
images are those of the fragments that the edge tags, with the faces that it saw.
"""

import argparse
import importlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from bench.edge.faces import capture
from cli.setup.laptop_stack import drop_aws_settings
from local.laptop import ROOT, LaptopAWS
from whosthere.imaging import to_jpeg

scenes: Any = importlib.import_module("tests.support.records.image_scenes")  # without types
harnesses: Any = importlib.import_module("tests.support.records.stranger_harness")
FILM = ROOT / "demo" / "film.mp4"
COLLECTIONS = ("people", "strangers", "alike")
LEAST_SAVED = 0.6


def images_of(video: Path, every_s: float, first_s: float) -> Iterator[Any]:
    """Yield an image of a video every so many seconds."""
    with av.open(str(video)) as container:
        next_s = first_s
        for frame in container.decode(video=0):
            if frame.time >= next_s - 0.001:
                yield scenes.Scene(round(next_s, 3), (), to_jpeg(frame.to_image()))
                next_s += every_s


def enroll(rekognition: Any, video: Path, person_s: float | None) -> None:
    """Make new collections; enroll the film's people, or who is seen at that second."""
    for name in COLLECTIONS:
        if name in rekognition.list_collections()["CollectionIds"]:
            rekognition.delete_collection(CollectionId=name)
        rekognition.create_collection(CollectionId=name)
    photos: list[tuple[str, bytes]] = []
    if video == FILM:
        people = json.loads((ROOT / "demo" / "film.json").read_text())["people"]
        numbered = enumerate(people.values(), 1)
        photos = [
            (f"p-{n}", (ROOT / "demo" / one).read_bytes()) for n, own in numbered for one in own
        ]
    elif person_s is not None:
        photos = [("p-1", next(images_of(video, 1, person_s)).content)]
    for person, photo in photos:
        rekognition.index_faces(
            CollectionId="people", Image={"Bytes": photo}, ExternalImageId=person, MaxFaces=1
        )


class CountingRekognition:
    """The laptop's Rekognition as the harness takes it, and how often it was called."""

    def __init__(self, client: Any) -> None:
        """Count from now on."""
        self.client, self.calls, self.scene = client, Counter[str](), None

    def __getattr__(self, name: str) -> Any:
        """Return a call that is counted."""
        self.calls[name] += 1
        return getattr(self.client, name)


def look(shared: Any, client: Any, images: list[Any], **settings: Any) -> tuple[Counter[str], Any]:
    """Search images with these settings; return the calls, and what was seen."""
    table, s3 = shared
    importlib.import_module("tests.support.records.alert_harness").empty(table)
    with pytest.MonkeyPatch.context() as patch:
        harness = scenes.ImageHarness(
            patch, table, s3, rekognition=CountingRekognition(client), **settings
        )
        harness.searches(*images)
        return harness.rekognition.calls, (harness.summary, harness.counts)


def compare(shared: Any, client: Any, given: argparse.Namespace, first_s: float) -> bool:
    """Search a video's images in both ways and print them; return whether they saw the same."""
    images = list(images_of(given.video, given.every, first_s))
    if given.tag:
        images = scenes.tagged(images, given.tags.fragments)
    results = []
    ways: tuple[dict[str, int], ...] = (scenes.ALWAYS, {})
    for settings in ways:
        enroll(client, given.video, given.person)
        results.append(look(shared, client, images, gapSeconds=given.gap, **settings))
    (before, (always, _)), (after, (followed, counts)) = results
    searches = [calls["search_faces_by_image"] for calls in (before, after)]
    saved = 1 - searches[1] / max(1, searches[0])
    faces = counts.get("searches_saved", 0) + after["search_faces_by_image"]
    print(f"images {len(images)} from {first_s:.2f} s, faces {faces}")
    print(f"  searches {searches[0]}, then {searches[1]}: {100 * saved:.0f} % fewer")
    print(f"  detections {before['detect_faces']}, then {after['detect_faces']}")
    for name, (persons, strangers, queued, kinds) in (("before", always), ("then", followed)):
        people = len({who for who, *_ in persons})
        visits = f"{len(persons)} of {people} people, {len(strangers)} of {queued} strangers"
        print(f"  {name}: visits {visits}; alerts {dict(kinds)}")
    if always != followed:
        print("  before and then, as (who, persons, first and last ms, alert):", always, followed)
    return bool(always == followed)


def main() -> int:
    """Print what searches were needed; return 1 if anything else was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--video", type=Path, default=FILM)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two images")
    parser.add_argument("--gap", type=float, default=5.0, help="gapSeconds of the session")
    parser.add_argument("--starts", type=int, default=1, help="repeat with so many first images")
    parser.add_argument("--person", type=float, help="enroll who is seen at this second")
    parser.add_argument("--tag", choices=("motion", "face"), help="only images that are tagged")
    parser.add_argument("--encode", action="store_true", help="as a camera whose video is encoded")
    given = parser.parse_args()
    if given.tag:
        given.tags = capture(given.video, given.tag, *(["--hold"] if given.encode else []))
    drop_aws_settings()
    same = True
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder) / "laptop") as laptop:
        client = laptop.client("rekognition")
        with harnesses.a_table_and_a_bucket() as shared:
            for number in range(given.starts):
                same &= compare(shared, client, given, given.every * number / given.starts)
    print("the same was seen" if same else "NOT THE SAME")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
