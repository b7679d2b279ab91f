"""How far each point of a face stands out from the smooth head, in centimetres."""

from dataclasses import dataclass

import numpy as np

from demo.draw.curves import Array, bell, noise, ramp, ridge
from demo.draw.face.features import Features
from demo.draw.face.texture import SHAPE, SIDE, X, Y


@dataclass(frozen=True, slots=True)
class Relief:
    """The height map, and the wrinkles in it, which are also painted."""

    height: Array
    wrinkles: Array


def make_relief(features: Features, rng: np.random.Generator) -> Relief:
    """Model one face."""
    age = features.look.age
    wrinkles = _lines_of_age(features) + _bags(features)[0]
    height = (
        _nose(features)
        + _eyes_and_brows(features)
        + _cheeks(features)
        + _mouth_and_chin(features)
        + _bags(features)[1]
        - wrinkles
        + 0.006 * noise(rng, SHAPE, 5)
        + (0.02 + 0.02 * age) * noise(rng, SHAPE, 60)
    )
    return Relief(height.astype(np.float32), wrinkles)


def _nose(features: Features) -> Array:
    look, tip_y, root_y = features.look, features.nose_y, features.look.eye_y - 0.9
    t = np.clip((Y - root_y) / (tip_y - 0.55 - root_y), 0, 1)
    profile = (
        look.nose_bridge * ramp(t, 0, 0.22) * (1 - t)
        + look.nose_height * np.power(t, 1.35)
        + look.nose_hump * ridge(t - 0.42, 0.17)
    ) * (1 - ramp(Y, tip_y - 0.75, tip_y + 0.75))
    width = look.bridge_width * (1 - t) + (look.nose_tip + 0.12) * t
    wing = 0.36 + 0.13 * look.nose_height
    relief: Array = (
        profile * ridge(X, 1.4 * width, 1.9)
        + 0.22 * look.nose_height * bell(X, Y - tip_y + 0.45, look.nose_tip * 0.75, 0.5)
        + wing * bell(SIDE - look.nose_width * 0.76, Y - tip_y + 0.32, 0.5, 0.52)
        - 0.3 * bell(SIDE - look.nose_width * 0.42, Y - tip_y - 0.12, 0.28, 0.16)
    )
    return relief


def _eyes_and_brows(features: Features) -> Array:
    look = features.look
    eye, brow = SIDE - look.eye_offset, Y - look.eye_y + look.brow_height
    fold = ridge(Y - features.lid_fold(SIDE), 0.09) * ridge(eye, 1.3, 4)
    return (
        0.55 * bell(eye, Y - look.eye_y, 0.95, 0.62)
        - look.socket * bell(eye + 0.35, Y - look.eye_y + 0.25, 1.45, 0.95)
        + look.brow_ridge * bell(SIDE - 2.6, brow - 0.1, 1.9, 0.55)
        + 0.15 * look.brow_ridge * bell(X, brow - 0.3, 1.2, 0.6)
        - (0.1 * fold if look.lid_fold > 0.08 else 0)
    )


def _cheeks(features: Features) -> Array:
    look, width = features.look, features.look.face_width
    beside = SIDE - features.smile_fold(Y)
    fold = fold_span(features)
    relief: Array = (
        look.cheekbone * bell(SIDE - 4.9 * width, Y - look.eye_y - 2.6, 1.5, 1.0)
        + look.cheek_fullness * bell(SIDE - 4.2 * width, Y - features.nose_y - 1.2, 1.6, 1.9)
        - (0.06 + 0.22 * look.age) * fold * ridge(beside, 0.22)
        + (0.05 + 0.2 * look.age) * fold * ridge(beside - 0.55, 0.5)
    )
    return relief


def fold_span(features: Features) -> Array:
    """Return where along the face the fold between nose and mouth corner is deep."""
    top, mouth = features.nose_y, features.mouth_y
    span: Array = ramp(Y, top - 0.9, top + 0.2) * (1 - ramp(Y, mouth - 0.2, mouth + 0.9))
    return span


def _mouth_and_chin(features: Features) -> Array:
    look, mouth_y = features.look, features.mouth_y
    u, below = features.along_mouth(X), Y - features.mouth_line(X)
    shape = np.clip(1 - u * u, 0, 1)
    upper, lower = features.lips(X)
    upper_lip = ridge(below + upper * 0.45, upper * 0.5 + 0.08) * (below < 0.1)
    lower_lip = ridge(below - lower * 0.5, lower * 0.42 + 0.06)
    groove = fold_span(features) * (mouth_y - 0.3 > Y)
    relief: Array = (
        0.45 * bell(X, Y - mouth_y, 2.4, 1.5)
        + groove * (0.06 * ridge(SIDE - 0.45, 0.2) - 0.1 * ridge(X, 0.22))
        + 0.42 * (look.upper_lip + 0.25) * upper_lip * np.power(shape, 0.7)
        + 0.52 * (look.lower_lip + 0.1) * lower_lip * np.power(shape, 0.8)
        - 0.2 * ridge(below, 0.09) * np.power(shape, 0.3)
        - 0.35 * bell(X, Y - mouth_y - look.lower_lip - 0.75, 1.6, 0.38)
        + 0.55 * bell(X, Y - features.chin_y + 1.55, 1.25 * look.chin_width, 0.85)
        - 0.1 * bell(SIDE - look.mouth_width / 2 - 0.15, Y - mouth_y, 0.3, 0.35)
    )
    return relief


def _bags(features: Features) -> tuple[Array, Array]:
    """Return the line under a tired eye, and the swelling above that line."""
    look, eye = features.look, SIDE - features.look.eye_offset
    line_y = look.eye_y + 0.95 + 0.25 * look.age - 0.1 * (eye / 1.2) ** 2
    span = look.eye_bags * ridge(eye + 0.15, 1.15, 4)
    line = 0.13 * span * ridge(Y - line_y, 0.13)
    return line, 0.16 * span * ridge(Y - line_y + 0.35, 0.28)


def _lines_of_age(features: Features) -> Array:
    look = features.look
    depth = max(0, look.age - 0.25) / 0.75
    lines = np.zeros_like(X)
    for k in range(4):
        waves = 0.12 * np.sin(0.55 * X + k) + 0.06 * np.sin(1.7 * X + 2 * k)
        forehead_y = look.eye_y - look.brow_height - 1.1 - 0.72 * k + waves
        reach = 1 - ramp(SIDE, 2.6 + 0.4 * (k % 2), 4.8)
        lines += 0.11 * ridge(Y - forehead_y, 0.085) * reach
        outside = SIDE - look.eye_offset - look.eye_width / 2 - 0.25
        crow_y = look.eye_y + (k - 1.4) * (0.22 + 0.28 * outside)
        reach = ramp(outside, 0, 0.3) * (1 - ramp(outside, 0.9, 1.7))
        lines += 0.1 * ridge(Y - crow_y, 0.06) * reach
    frown = ramp(Y, look.eye_y - 2.7, look.eye_y - 2.0)
    frown *= 1 - ramp(Y, look.eye_y - 1.3, look.eye_y - 0.7)
    return depth * (lines + 0.1 * ridge(SIDE - 0.42, 0.08) * frown)
