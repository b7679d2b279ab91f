"""Find faces and measure them with dlib's detector, landmarks and network (worker side)."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import dlib
import numpy as np

from local.rekognition.images import LONGEST_SIDE, Pixels
from local.rekognition.measures import Points, brightness, pose, sharpness
from local.rekognition.network import Network

SMALLEST_FACE = 40  # pixels, in a picture of 1920 x 1080 or less
MOST_FACES = 100
JITTER = 0.06  # of a face's width
CHIP_SIZE = 150  # what the network takes

# Where Rekognition's five landmarks lie among the 68; its eyes are the middle of two corners.
LANDMARKS = {
    "eyeLeft": (36, 39),
    "eyeRight": (42, 45),
    "mouthLeft": (48,),
    "mouthRight": (54,),
    "nose": (30,),
}

Face = dict[str, Any]


class Analyst:
    """The loaded models; one per process, because dlib does not let other threads run."""

    def __init__(self) -> None:
        folder = models()
        self._detector = dlib.get_frontal_face_detector()
        self._five = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._many = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
        self._network = Network(folder / "dlib_face_recognition_resnet_model_v1.dat")

    def faces(self, pixels: Pixels, *, search_small: bool, vectors: int) -> list[Face]:
        """All faces, largest first, the first `vectors` of them with the network's vector."""
        found = self._detect(pixels, search_small)
        return [
            self._measure(pixels, box, score, with_vector=rank < vectors)
            for rank, (box, score) in enumerate(found[:MOST_FACES])
        ]

    def _detect(self, pixels: Pixels, search_small: bool) -> list[tuple[Any, float]]:
        """The detector sees faces of 80 pixels; half of that in a picture twice as large."""
        boxes, scores, _ = self._detector.run(pixels, 0, 0.0)
        if not boxes and search_small:
            boxes, scores, _ = self._detector.run(pixels, 1, 0.0)
        smallest = SMALLEST_FACE * max(1.0, max(pixels.shape[:2]) / LONGEST_SIDE)
        found = [
            (box, score)
            for box, score in zip(boxes, scores, strict=True)
            if box.width() >= smallest
        ]
        return sorted(found, key=lambda one: (-one[0].area(), one[0].left(), one[0].top()))

    def _measure(self, pixels: Pixels, box: Any, score: float, *, with_vector: bool) -> Face:
        points = self._points(pixels, box)
        chip = dlib.get_face_chip(pixels, self._five(pixels, box), CHIP_SIZE)
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
                "Landmarks": _landmarks(points, width, height),
                "Pose": pose(points),
                "Quality": {"Brightness": brightness(chip), "Sharpness": sharpness(chip)},
            },
            "size": box.width(),
        }
        if with_vector:
            face["vector"] = self._network.vector(chip)
        return face

    def _points(self, pixels: Pixels, box: Any) -> Points:
        """The 68 landmarks, as the mean of several looks: each jitters by a pixel or two."""
        looks = [self._many(pixels, moved).parts() for moved in _around(box)]
        return np.array([[(part.x, part.y) for part in look] for look in looks], float).mean(axis=0)


def _around(box: Any) -> list[Any]:
    """The box itself, and others a little beside it, smaller and larger."""
    step = round(box.width() * JITTER)
    moves = [(0, 0), (step, 0), (-step, 0), (0, step), (0, -step)]
    moved = [dlib.translate_rect(box, dlib.point(*by)) for by in moves]
    return [*moved, dlib.grow_rect(box, step // 2), dlib.shrink_rect(box, step // 2)]


def confidence(score: float) -> float:
    """The detector's margin (0 and more) as a percentage: 0 is 90, 1 is 99.9."""
    return 100 / (1 + math.exp(-2.2 - 4.7 * score))


def _landmarks(points: Any, width: int, height: int) -> list[dict[str, Any]]:
    middles = {name: points[list(parts)].mean(axis=0) for name, parts in LANDMARKS.items()}
    return [
        {"Type": name, "X": float(x) / width, "Y": float(y) / height}
        for name, (x, y) in middles.items()
    ]


def models() -> Path:
    """The model files' folder, found without importing their package (it needs pkg_resources)."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package face_recognition_models is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"
