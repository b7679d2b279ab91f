"""Draw what the camera beside the door sees when nobody is there."""

import cv2
import numpy as np

from demo.draw.curves import Array, linear, noise, ramp

SIZE = (480, 640)
HORIZON = 262

type Colour = tuple[int, int, int]


def draw_porch() -> Array:
    """Draw the garden path, the hedge with its gate and the house opposite."""
    rng = np.random.default_rng(17)
    picture = _sky_and_lawn(rng)
    _house(picture)
    _trees(picture, rng)
    _path(picture)
    _hedge_and_gate(picture, rng)
    # Far things are out of focus; the porch post is near, and less so.
    picture = cv2.GaussianBlur(picture, (0, 0), 2.6)
    _porch(picture)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.2), 0, 1).astype(np.float32)


def _box(picture: Array, left: int, top: int, right: int, bottom: int, rgb: Colour) -> None:
    cv2.rectangle(picture, (left, top), (right, bottom), linear(rgb).tolist(), -1)


def _area(picture: Array, corners: list[tuple[int, int]], rgb: Colour) -> None:
    points = np.array(corners, np.int32)
    cv2.fillPoly(picture, [points], linear(rgb).tolist(), cv2.LINE_AA)


def _sky_and_lawn(rng: np.random.Generator) -> Array:
    y = np.arange(SIZE[0], dtype=np.float32)[:, None, None]
    sky = linear((150, 183, 208)) + ramp(y, 0, HORIZON) * (
        linear((226, 229, 222)) - linear((150, 183, 208))
    )
    lawn = linear((128, 150, 88)) + ramp(y, HORIZON, 480) * (
        linear((92, 118, 62)) - linear((128, 150, 88))
    )
    blades = 1 + 0.1 * noise(rng, SIZE, 14)[..., None] * (y > HORIZON)
    lawn_or_sky = np.where(y > HORIZON, lawn, sky) * np.clip(blades, 0.5, 1.5)
    return np.array(np.broadcast_to(lawn_or_sky, (*SIZE, 3)), np.float32)


def _house(picture: Array) -> None:
    _area(picture, [(330, 118), (420, 62), (610, 62), (690, 118)], (122, 84, 74))
    _box(picture, 452, 40, 476, 80, (134, 96, 84))
    _box(picture, 348, 116, 680, HORIZON, (214, 203, 184))
    for left in (372, 454, 566):
        _box(picture, left - 4, 138, left + 42, 196, (238, 234, 226))
        _box(picture, left, 142, left + 38, 192, (112, 132, 146))
        _box(picture, left + 17, 142, left + 21, 192, (238, 234, 226))
    _box(picture, 514, 172, 548, HORIZON, (78, 104, 120))


def _trees(picture: Array, rng: np.random.Generator) -> None:
    for x, y, size in ((40, 150, 92), (150, 176, 74), (250, 196, 52), (640, 170, 60)):
        _box(picture, x - 6, y, x + 6, HORIZON, (98, 80, 66))
        for _ in range(26):
            at = rng.normal((x, y), size * 0.42).astype(int).tolist()
            bright = rng.uniform(0.75, 1.2)
            leaves = (linear((104, 130, 84)) * bright).tolist()
            cv2.circle(picture, at, int(size * rng.uniform(0.2, 0.42)), leaves, -1)


def _path(picture: Array) -> None:
    _area(picture, [(286, HORIZON), (346, HORIZON), (560, 480), (90, 480)], (186, 176, 160))
    for y in (290, 322, 364, 418):
        spread = (y - HORIZON) / (480 - HORIZON)
        ends = (int(286 - 196 * spread), y), (int(346 + 214 * spread), y)
        cv2.line(picture, *ends, linear((160, 150, 136)).tolist(), 2 + y // 200)


def _hedge_and_gate(picture: Array, rng: np.random.Generator) -> None:
    for left, right in ((0, 268), (364, 640)):
        _box(picture, left, 228, right, 296, (84, 108, 64))
    leaves = np.clip(1 + 0.22 * noise(rng, SIZE, 9), 0.4, 1.7)[228:297, :, None]
    picture[228:297] *= leaves
    for x in range(272, 362, 15):
        _box(picture, x, 232, x + 8, 296, (232, 230, 222))
    for y in (244, 276):
        _box(picture, 268, y, 364, y + 7, (232, 230, 222))


def _porch(picture: Array) -> None:
    """Draw a post with a lantern on the left, the door's brick edge on the right."""
    _box(picture, 18, 0, 62, 480, (222, 218, 208))
    _box(picture, 18, 0, 28, 480, (192, 188, 180))
    _box(picture, 54, 0, 62, 480, (238, 235, 228))
    _box(picture, 72, 96, 100, 140, (58, 56, 54))
    _box(picture, 77, 102, 95, 134, (255, 226, 158))
    _area(picture, [(66, 98), (106, 98), (86, 80)], (58, 56, 54))
    _box(picture, 56, 110, 74, 116, (58, 56, 54))
    _box(picture, 604, 0, 640, 480, (150, 96, 78))
    for y in range(0, 480, 22):
        _box(picture, 604, y, 640, y + 2, (178, 152, 136))
        joint = 616 if y % 44 else 630
        _box(picture, joint, y, joint + 2, y + 22, (178, 152, 136))
    _box(picture, 594, 0, 604, 480, (224, 220, 212))
