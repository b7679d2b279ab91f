"""Find the 68 landmarks of a face with dlib's model, also on a turned or tilted head."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from PIL import Image

from local.rekognition.worker.images import Pixels
from local.rekognition.worker.measures import Points, pose

JITTER = 0.06  # of a face's width
# The model was trained on upright faces that look at the camera. Beyond these degrees a second
# look, at the face made upright and as wide as it would be from the front, is more accurate.
MAX_TILT, MAX_TURN = 8.0, 15.0
MAX_STRETCH_TURN = 45.0
MAX_VIEWS = 3  # as long as the head turns out to be tilted further
MAX_CHANGE = 1.5  # degrees of yaw between two looks that agree
SURROUNDINGS = 1.6  # face widths around its middle
# Which of the 68 landmarks each is in the mirror: jaw, brows, nose, eyes, lips.
MIRRORED = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip


class LandmarkFinder:
    """The landmark model."""

    def __init__(self, path: Path) -> None:
        """Load the model."""
        self._model = dlib.shape_predictor(str(path))

    def find(self, pixels: Pixels, box: Any, *, thorough: bool) -> Points:
        """Return 68 landmarks as x and y in pixels; `thorough` averages more predictions."""
        around = _around(box)
        first, second = (around, []) if thorough else (around[-2:-1], around[-1:])
        points = self._look(pixels, first)
        turned = pose(points)
        if abs(turned["Roll"]) <= MAX_TILT and abs(turned["Yaw"]) <= MAX_TURN:
            return (points + self._look(pixels, second)) / 2 if second else points
        for _ in range(MAX_VIEWS if thorough else 1):
            view, before = FaceView.of(box, turned), turned
            points = view.back(self._look_at(view, pixels, thorough))
            turned = pose(points)
            rolled, yawed = (abs(turned[axis] - before[axis]) for axis in ("Roll", "Yaw"))
            if rolled <= MAX_TILT / 2 and yawed <= MAX_CHANGE:
                break
        return points

    def _look_at(self, view: "FaceView", pixels: Pixels, thorough: bool) -> Points:
        """Return the landmarks in a view, averaged with those of its mirror image if thorough."""
        crop = view.crop(pixels)
        if not thorough:
            return self._look(crop, [view.box()])
        points = self._look(crop, _around(view.box()))
        mirrored = self._look(np.ascontiguousarray(crop[:, ::-1]), _around(view.box()))[MIRRORED]
        mirrored[:, 0] = crop.shape[1] - 1 - mirrored[:, 0]
        return np.asarray((points + mirrored) / 2)

    def _look(self, pixels: Pixels, boxes: list[Any]) -> Points:
        """Return the mean of several predictions, since each jitters by a pixel or two."""
        looks = [self._model(pixels, box).parts() for box in boxes]
        return np.array([[(part.x, part.y) for part in look] for look in looks], float).mean(axis=0)


def _around(box: Any) -> list[Any]:
    """Return the box and variants that are slightly moved, larger and smaller."""
    step = round(box.width() * JITTER)
    moves = [(0, 0), (step, 0), (-step, 0), (0, step), (0, -step)]
    moved = [dlib.translate_rect(box, dlib.point(*by)) for by in moves]
    return [*moved, dlib.grow_rect(box, step // 2), dlib.shrink_rect(box, step // 2)]


@dataclass(frozen=True, slots=True)
class FaceView:
    """A face cropped upright and stretched to its frontal width."""

    centre: tuple[float, float]
    side: int
    roll: float  # radians
    stretch: float

    @classmethod
    def of(cls, box: Any, turned: dict[str, float]) -> "FaceView":
        """Return the view of a face whose pose is roughly known."""
        middle = box.center()
        yaw = math.radians(min(abs(turned["Yaw"]), MAX_STRETCH_TURN))
        return cls(
            (middle.x, middle.y), box.width(), math.radians(turned["Roll"]), 1 / math.cos(yaw)
        )

    @property
    def half(self) -> float:
        """Return half the side of the square that is cut out, in pixels."""
        return SURROUNDINGS * self.side

    def crop(self, pixels: Pixels) -> Pixels:
        """Return the pixels of the view, black outside the picture."""
        (xx, xy), (yx, yy) = self._turn()
        (x, y), half = self.centre, self.half
        places = (xx, xy, x - (xx + xy) * half, yx, yy, y - (yx + yy) * half)
        size = (round(2 * half), round(2 * half))
        image = Image.fromarray(pixels)
        turned = image.transform(size, Image.Transform.AFFINE, places, Image.Resampling.BILINEAR)
        return np.asarray(turned)

    def box(self) -> Any:
        """Return the face's box in the view."""
        corner = round(self.half - self.side / 2)
        return dlib.rectangle(corner, corner, corner + self.side, corner + self.side)

    def back(self, points: Points) -> Points:
        """Convert points of the view to points of the picture."""
        return np.asarray((points - self.half) @ np.array(self._turn()).T + self.centre)

    def _turn(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the matrix that turns steps in the view into steps in the picture."""
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return (cos / self.stretch, -sin), (sin / self.stretch, cos)
