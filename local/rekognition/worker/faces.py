"""Detect and measure faces with dlib's detector, landmarks and network (worker process)."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from PIL import Image

from local.rekognition.worker.images import LONGEST_SIDE, Pixels
from local.rekognition.worker.landmarks import LandmarkFinder
from local.rekognition.worker.measures import Points, brightness, pose, sharpness
from local.rekognition.worker.network import Network

SMALLEST_FACE = 40  # pixels, in a picture of 1920 x 1080 or less
MAX_FACES = 100
DETECTED = 80  # pixels; dlib's detector was trained on faces no smaller than this
# Beyond this, twice the size takes seconds: small faces are looked for only if there is no other.
LONGEST_DOUBLED = 1280
CHIP_SIZE = 150  # what the network takes
MARGIN, MIDDLE_SIZE = 0.1, 120  # what sharpness is measured on: a share of the box; pixels

# Where Rekognition's five landmarks lie among the 68; its eyes are the middle of two corners.
LANDMARKS = {
    "eyeLeft": (36, 39),
    "eyeRight": (42, 45),
    "mouthLeft": (48,),
    "mouthRight": (54,),
    "nose": (30,),
}
# Those that come with Attributes=["ALL"] besides. Where pupils are is not measured.
MORE_LANDMARKS = {
    "leftEyeBrowLeft": (17,), "leftEyeBrowRight": (21,), "leftEyeBrowUp": (19,),
    "rightEyeBrowLeft": (22,), "rightEyeBrowRight": (26,), "rightEyeBrowUp": (24,),
    "leftEyeLeft": (36,), "leftEyeRight": (39,), "leftEyeUp": (37, 38), "leftEyeDown": (40, 41),
    "rightEyeLeft": (42,), "rightEyeRight": (45,), "rightEyeUp": (43, 44), "rightEyeDown": (46, 47),
    "noseLeft": (31,), "noseRight": (35,), "mouthUp": (51,), "mouthDown": (57,),
    "upperJawlineLeft": (0,), "midJawlineLeft": (4,), "chinBottom": (8,),
    "midJawlineRight": (12,), "upperJawlineRight": (16,),
}  # fmt: skip

Face = dict[str, Any]


class FaceAnalyzer:
    """The loaded models; one per process, because dlib blocks other threads."""

    def __init__(self) -> None:
        """Load the models."""
        folder = models()
        self._detector = dlib.get_frontal_face_detector()
        self._five = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._landmarks = LandmarkFinder(folder / "shape_predictor_68_face_landmarks.dat")
        self._network = Network(folder / "dlib_face_recognition_resnet_model_v1.dat")

    def faces(self, pixels: Pixels, *, search_small: bool, vectors: int) -> list[Face]:
        """Return all faces, the largest first; the first `vectors` of them with their vector."""
        found = self._detect(pixels, search_small)
        return [
            self._measure(pixels, box, score, with_vector=rank < vectors, thorough=search_small)
            for rank, (box, score) in enumerate(found[:MAX_FACES])
        ]

    def vectors(self, pixels: Pixels, boxes: list[list[int]]) -> list[Face]:
        """Return the vectors alone of faces that were detected before, by their `box`."""
        chips = [self._chip(pixels, dlib.rectangle(*box)) for box in boxes]
        return [{"vector": self._network.vector(chip)} for chip in chips]

    def _detect(self, pixels: Pixels, search_small: bool) -> list[tuple[Any, float]]:
        """Detect faces of 80 pixels, and of 40 in the picture at twice its size."""
        found = self._boxes(pixels, 0)
        if search_small and (not found or max(pixels.shape[:2]) <= LONGEST_DOUBLED):
            small = [one for one in self._boxes(pixels, 1) if one[0].width() < DETECTED]
            found += [one for one in small if not _is_within(one[0], found)]
        smallest = SMALLEST_FACE * max(1.0, max(pixels.shape[:2]) / LONGEST_SIDE)
        found = [(box, score) for box, score in found if box.width() >= smallest]
        return sorted(found, key=lambda one: (-one[0].area(), one[0].left(), one[0].top()))

    def _boxes(self, pixels: Pixels, doublings: int) -> list[tuple[Any, float]]:
        boxes, scores, _ = self._detector.run(pixels, doublings, 0.0)
        return list(zip(boxes, scores, strict=True))

    def _measure(
        self, pixels: Pixels, box: Any, score: float, *, with_vector: bool, thorough: bool
    ) -> Face:
        points = self._landmarks.find(pixels, box, thorough=thorough)
        chip = self._chip(pixels, box)
        quality = {"Brightness": brightness(chip), "Sharpness": sharpness(_middle(pixels, box))}
        height, width = pixels.shape[:2]
        face: Face = {
            "detail": {
                "BoundingBox": {
                    "Width": box.width() / width,
                    "Height": box.height() / height,
                    "Left": box.left() / width,
                    "Top": box.top() / height,
                },
                "Confidence": confidence(score),
                "Landmarks": _named(LANDMARKS, points, width, height),
                "Pose": pose(points),
                "Quality": quality,
            },
            "size": box.width(),
            "box": [box.left(), box.top(), box.right(), box.bottom()],
        }
        if thorough:
            face["more_landmarks"] = _named(MORE_LANDMARKS, points, width, height)
        if with_vector:
            face["vector"] = self._network.vector(chip)
        return face

    def _chip(self, pixels: Pixels, box: Any) -> Pixels:
        """Return the aligned face."""
        chip: Pixels = dlib.get_face_chip(pixels, self._five(pixels, box), CHIP_SIZE)
        return chip


def _is_within(box: Any, found: list[tuple[Any, float]]) -> bool:
    return any(one.contains(box.center()) for one, _ in found)


def _middle(pixels: Pixels, box: Any) -> Pixels:
    """Return the middle of a detected face; an aligned face moves a little with every blur."""
    edge = MARGIN * box.width()
    sides = (box.left() + edge, box.top() + edge, box.right() - edge, box.bottom() - edge)
    middle = Image.fromarray(pixels).crop(sides)
    return np.asarray(middle.resize((MIDDLE_SIZE, MIDDLE_SIZE), Image.Resampling.LANCZOS))


def confidence(score: float) -> float:
    """Convert the detector's margin (0 and more) to a percentage: 0 is 90, 1 is 99.9."""
    return 100 / (1 + math.exp(-2.2 - 4.7 * score))


def _named(
    parts: dict[str, tuple[int, ...]], points: Points, width: int, height: int
) -> list[dict[str, Any]]:
    middles = {name: points[list(places)].mean(axis=0) for name, places in parts.items()}
    return [
        {"Type": name, "X": float(x) / width, "Y": float(y) / height}
        for name, (x, y) in middles.items()
    ]


def models() -> Path:
    """Return the models' folder without importing their package, which needs pkg_resources."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package face_recognition_models is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"
