"""Measure how far apart the film's people are, with dlib's detector and network.

Run by the laptop AWS's Python: .whosthere/emulator/bin/python demo/measure.py
"""

import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEMO = Path(__file__).parent
RECOGNISED, UNMATCHED = 0.5, 0.6
"""Distances: surely the same below the first, a stranger above the second."""

ANALYSED_EVERY = 2
"""Five of the film's ten frames a second are analysed."""

WIDTH = 640
ELSE = "turned, cut by the edge or leaving"
LEAVING_SECONDS = 1.3
"""Who walks off looks where they go."""

type Vector = NDArray[np.float64]
type Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Face:
    """One face that was found."""

    at: float
    box: Box
    vector: Vector


@dataclass(slots=True)
class Appearance:
    """One appearance of film.json, with the faces found in it."""

    who: str
    start: float
    end: float
    turned: list[list[float]]
    faces: list[Face] = field(default_factory=list)
    frames: int = 0

    def is_facing(self, face: Face) -> bool:
        """Return whether the face is whole, and neither turned away nor walking off."""
        is_turned = any(start < face.at < end for start, end in self.turned)
        is_whole = face.box[0] >= 0 and face.box[2] <= WIDTH
        return is_whole and not is_turned and face.at < self.end - LEAVING_SECONDS


class Network:
    """dlib's HOG detector, its 5 landmarks and its face network."""

    def __init__(self) -> None:
        # Importing face_recognition_models needs pkg_resources, which is gone.
        """Load the models."""
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("face_recognition_models is not installed here")
        models = Path(spec.submodule_search_locations[0]) / "models"
        self._detect = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(
            str(models / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def faces(self, picture: NDArray[np.uint8], at: float = 0) -> list[Face]:
        """Find every face of a picture."""
        found = []
        for box in self._detect(picture, 0):
            shape = self._landmarks(picture, box)
            vector = np.array(self._network.compute_face_descriptor(picture, shape))
            edges = box.left(), box.top(), box.right(), box.bottom()
            found.append(Face(at, edges, vector))
        return found


def main() -> None:
    """Measure everything and print it line by line."""
    for line in measure(Network()):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def measure(network: Network) -> Iterator[str]:
    """Find every face of the film and compare it with the portraits."""
    answers = json.loads((DEMO / "film.json").read_text(encoding="utf-8"))
    portraits = {
        name: [_portrait(network, DEMO / path) for path in paths]
        for name, paths in answers["people"].items()
    }
    appearances = [
        Appearance(each["who"], each["from"], each["to"], each["turned"])
        for each in answers["appearances"]
    ]
    spare = _watch(network, appearances)
    for appearance in appearances:
        yield from _appearance(appearance, portraits)
    yield f"faces that are nobody's: {spare}"
    for label, only_facing in (("facing", True), ("all", False)):
        yield f"{label} faces and portraits together:"
        yield from _distances(_gather(appearances, portraits, only_facing))


def _portrait(network: Network, path: Path) -> Vector:
    faces = network.faces(np.asarray(Image.open(path).convert("RGB")))
    if len(faces) != 1:
        raise SystemExit(f"{path}: {len(faces)} faces, expected one")
    return faces[0].vector


def _pictures() -> Iterator[tuple[float, NDArray[Any]]]:
    with av.open(str(DEMO / "film.mp4")) as film:
        for frame in film.decode(video=0):
            yield float(frame.time or 0), frame.to_ndarray(format="rgb24")


def _watch(network: Network, appearances: list[Appearance]) -> int:
    """Assign each face to its appearance; return how many faces belong to none."""
    spare = 0
    for at, picture in _pictures():
        here = [each for each in appearances if each.start <= at < each.end]
        for appearance in here:
            appearance.frames += 1
        strips = dict[int, Face]()
        for face in network.faces(picture, at):
            # Several at once stand from left to right in film.json's order.
            middle = (face.box[0] + face.box[2]) / 2
            strips[int(middle * len(here) / picture.shape[1])] = face
            spare += not here
        for strip, face in strips.items() if here else ():
            here[strip].faces.append(face)
    return spare


def _nearest(vector: Vector, others: list[Vector]) -> float:
    return min(float(np.linalg.norm(vector - other)) for other in others)


def _appearance(appearance: Appearance, portraits: dict[str, list[Vector]]) -> Iterator[str]:
    who, faces = appearance.who, appearance.faces
    yield (
        f"{who}, {appearance.start} to {appearance.end} s:"
        f" {appearance.frames} frames, a face in {len(faces)} from {faces[0].at}"
        f" to {faces[-1].at}; least overlap of boxes {_least_overlap(faces):.2f}"
    )
    for is_facing, label in ((True, "facing"), (False, ELSE)):
        part = [face for face in faces if appearance.is_facing(face) == is_facing]
        if part:
            yield f"  {label}: {len(part)} faces, {_shares(who, part, portraits)}"


def _shares(who: str, faces: list[Face], portraits: dict[str, list[Vector]]) -> str:
    parts = []
    if who in portraits:
        own = np.array([_nearest(face.vector, portraits[who]) for face in faces])
        unmatched = own >= UNMATCHED
        unsure = ~unmatched & (own >= RECOGNISED)
        parts.append(
            f"recognised {np.mean(own < RECOGNISED):.0%}, unsure {np.mean(unsure):.0%},"
            f" unmatched {np.mean(unmatched):.0%}"
            f" (distance {own.min():.2f} to {own.max():.2f},"
            f" unmatched at {[face.at for face in itertools.compress(faces, unmatched)]})"
        )
    others = [v for name, list_ in portraits.items() if name != who for v in list_]
    closest = min(_nearest(face.vector, others) for face in faces)
    parts.append(f"nearest portrait of another {closest:.3f}")
    return ", ".join(parts)


def _least_overlap(faces: list[Face]) -> float:
    """Return the smallest intersection over union of the boxes of two analysed frames."""
    pairs = zip(faces, faces[ANALYSED_EVERY:], strict=False)
    near = [(a.box, b.box) for a, b in pairs if b.at - a.at < 0.25]
    return min((_overlap(a, b) for a, b in near), default=1.0)


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    areas = ((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return both / (sum(areas) - both)


def _gather(
    appearances: list[Appearance], portraits: dict[str, list[Vector]], only_facing: bool
) -> dict[str, list[Vector]]:
    people = {name: list(vectors) for name, vectors in portraits.items()}
    for appearance in appearances:
        people.setdefault(appearance.who, []).extend(
            face.vector
            for face in appearance.faces
            if not only_facing or appearance.is_facing(face)
        )
    return people


def _distances(people: dict[str, list[Vector]]) -> Iterator[str]:
    for who, vectors in people.items():
        yield f"  within {who}: at most {_between(vectors, vectors).max():.3f}"
    for a, b in itertools.combinations(people, 2):
        yield f"  {a} and {b}: at least {_between(people[a], people[b]).min():.3f}"


def _between(a: list[Vector], b: list[Vector]) -> NDArray[np.float64]:
    return np.linalg.norm(np.array(a)[:, None] - np.array(b)[None], axis=2)


if __name__ == "__main__":
    main()
