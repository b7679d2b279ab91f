"""Brows, drawn hair by hair, and a beard."""

import cv2
import numpy as np

from demo.draw.curves import Array, linear, noise, ramp, ridge
from demo.draw.face.features import Features
from demo.draw.face.skin import Paint
from demo.draw.face.skull import CROWN, Skull
from demo.draw.face.texture import SHAPE, SIDE, X, Y, stroke


def paint_brows(paint: Paint, features: Features, rng: np.random.Generator) -> Array:
    """Paint both brows; returns where they are."""
    look = features.look
    mask = np.zeros(SHAPE, np.float32)
    for side in (-1, 1):
        for start, end in zip(*_brow_hairs(features, rng), strict=True):
            mirror = np.array((side, 1))
            stroke(mask, start * mirror, end * mirror, rng.uniform(0.5, 1))
    mask = 1.25 * cv2.GaussianBlur(mask, (0, 0), 0.9) + 0.35 * cv2.GaussianBlur(mask, (0, 0), 4)
    mask = np.clip(mask, 0, 1) * look.brow_density
    hair = linear(look.hair_colour)
    # Brows are darker than hair, and the more so the fairer the hair is.
    paint.cover(mask, hair * np.interp(hair.mean(), (0.03, 0.1), (0.75, 0.5)))
    return mask


def _brow_hairs(features: Features, rng: np.random.Generator) -> tuple[Array, Array]:
    look = features.look
    count = int(420 * (0.6 + look.brow_density))
    t = rng.random(count)
    thickness = look.brow_thickness * (0.85 + 0.35 * np.sin(np.pi * np.clip(1.15 * t, 0, 1)))
    thickness *= 1 - 0.72 * ramp(t, 0.55, 1)
    x = look.brow_start + look.brow_length * t
    y = (
        look.eye_y
        - look.brow_height
        - look.brow_arch * np.sin(np.pi * t**1.25)
        - look.brow_slant * (0.5 - t) * 1.6
        + 0.35 * ramp(t, 0.6, 1)
        + rng.uniform(-0.5, 0.5, count) * thickness
    )
    angle = -1.15 + 1.25 * t + rng.normal(0, 0.18, count)
    length = rng.uniform(0.25, 0.5, count)
    hairs = np.stack([np.cos(angle), 0.55 * np.sin(angle)], 1) * length[:, None]
    start = np.stack([x, y], 1)
    return start, start + hairs


def paint_beard(
    paint: Paint, features: Features, skull: Skull, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Paint a full beard; returns where it is and how far it stands out."""
    if not features.look.has_beard:
        return np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    area = _beard_area(features, skull)
    strands = noise(rng, SHAPE, 3.2, stretch=3.2)
    ragged = area * 1.5 - 0.25 + 0.28 * strands + 0.12 * noise(rng, SHAPE, 26)
    mask = np.clip(ragged, 0, 1) * ramp(area, 0.02, 0.25)
    shades = (1 + 0.45 * np.clip(strands, -1.5, 1.5))[..., None]
    colour = linear(features.look.hair_colour) * shades
    paint.cover(mask, np.clip(colour, 0.004, 1))
    return mask, mask * (0.55 + 0.05 * strands)


def _beard_area(features: Features, skull: Skull) -> Array:
    look, mouth_y = features.look, features.mouth_y
    u, below = features.along_mouth(X), Y - features.mouth_line(X)
    inside = skull.width(np.clip(Y, CROWN, features.chin_y)) > SIDE
    cheeks = ramp(Y - mouth_y + 0.2 + 3.6 * ramp(SIDE, 2.6, 6.2), -0.5, 0.5)
    half = look.mouth_width / 2
    middle = mouth_y - look.upper_lip * 0.75 - 0.55 + 0.048 * SIDE**2
    moustache = ridge(Y - middle, 0.46, 4) * (1 - ramp(SIDE, half - 0.1, half + 0.5))
    moustache *= ramp(Y, features.nose_y + 0.28, features.nose_y + 0.6)
    lips = ridge(below - 0.1, 0.45 + look.lower_lip * 0.7, 4) * (np.abs(u) < 1.06)
    return np.asarray(np.clip((cheeks + moustache) * inside, 0, 1) * (1 - lips))
