"""The colours of a face: skin, lips and everything that darkens or reddens it."""

import cv2
import numpy as np

from demo.draw.curves import Array, bell, linear, noise, ramp, ridge
from demo.draw.face.features import Features
from demo.draw.face.relief import Relief, fold_span
from demo.draw.face.texture import SHAPE, SIDE, X, Y, dot

TONES = linear(
    [
        (240, 205, 185),
        (232, 190, 164),
        (222, 176, 144),
        (205, 155, 120),
        (184, 132, 98),
        (158, 108, 78),
        (128, 84, 60),
        (106, 70, 50),
        (88, 58, 43),
    ]
)


def skin_colour(tone: float) -> Array:
    """Return a skin colour between the palest (0) and the darkest (8)."""
    return np.array([np.interp(tone, range(len(TONES)), part) for part in TONES.T])


class Paint:
    """A coat of colour that is tinted bit by bit."""

    def __init__(self, colour: Array) -> None:
        """Start with one colour everywhere."""
        self.colour = np.ones((*SHAPE, 3), np.float32) * colour.astype(np.float32)

    def tint(self, mask: Array, colour: Array | tuple[float, float, float]) -> None:
        """Multiply with a colour where the mask is 1."""
        filters = np.asarray(colour, np.float32) - 1
        self.colour *= 1 + filters * np.clip(mask, 0, 1)[..., None].astype(np.float32)

    def cover(self, mask: Array, colour: Array) -> None:
        """Paint over with a colour where the mask is 1."""
        opaque = mask[..., None].astype(np.float32)
        self.colour = self.colour * (1 - opaque) + colour.astype(np.float32) * opaque


def paint_skin(features: Features, relief: Relief, rng: np.random.Generator) -> Paint:
    """Paint one bare face."""
    paint = Paint(skin_colour(features.look.skin_tone))
    _mottle(paint, rng)
    _redden(paint, features)
    _darken_round_eyes(paint, features)
    _sprinkle(paint, features, rng)
    paint.tint(relief.wrinkles / 0.13 * 0.8, (0.70, 0.60, 0.56))
    fold = fold_span(features) * ridge(SIDE - features.smile_fold(Y), 0.17)
    paint.tint(fold * (0.25 + 0.65 * features.look.age), (0.72, 0.62, 0.58))
    _shade_nose(paint, features)
    _paint_lips(paint, features, rng)
    return paint


def lip_masks(features: Features) -> tuple[Array, Array]:
    """Return where the upper and where the lower lip is."""
    below = Y - features.mouth_line(X)
    upper, lower = features.lips(X)
    inside = np.abs(features.along_mouth(X)) < 0.99
    top = ramp(below, -upper - 0.05, 0.05 - upper) * (1 - ramp(below, -0.01, 0.05))
    bottom = ramp(below, -0.05, 0.01)
    bottom = bottom * (1 - ramp(below, lower - 0.075, lower + 0.075))
    return top * inside, bottom * inside


def _mottle(paint: Paint, rng: np.random.Generator) -> None:
    bright = 0.035 * (noise(rng, SHAPE, 40, octaves=4) + noise(rng, SHAPE, 3.5))
    hue = np.array([0.02, -0.035, -0.03], np.float32)
    blotches = noise(rng, SHAPE, 90, octaves=3)[..., None]
    paint.colour *= (1 + bright)[..., None] * (1 + hue * blotches)


def _redden(paint: Paint, features: Features) -> None:
    look = features.look
    fair = look.skin_tone < 4.5
    red = (1.04, 0.74, 0.72) if fair else (1.0, 0.86, 0.84)
    cheek = bell(SIDE - 4.3, Y - look.eye_y - 3.3, 1.5, 1.4)
    paint.tint(cheek * (0.35 + 0.65 * look.rosiness), red)
    nose = bell(X, Y - features.nose_y + 0.5, 1.3, 0.9)
    paint.tint(nose * (0.3 + 0.6 * look.rosiness), red)
    paint.tint(0.3 * bell(X, Y - features.chin_y + 1.5, 1.6, 1.0), red)


def _darken_round_eyes(paint: Paint, features: Features) -> None:
    look = features.look
    eye, below = SIDE - look.eye_offset, Y - look.eye_y
    socket = bell(eye + 0.2, below - 0.25, 1.5, 0.95) * (0.55 + 0.4 * look.age)
    paint.tint(socket, (0.78, 0.68, 0.70))
    bag = bell(eye + 0.75, below - 0.9, 0.8, 0.4) * (0.35 + 0.65 * look.eye_bags)
    paint.tint(bag, (0.72, 0.66, 0.74))
    paint.tint(0.6 * bell(SIDE - 1.05, below + 0.1, 0.55, 0.9), (0.74, 0.68, 0.66))
    if look.lid_fold > 0.08:
        span = ridge(eye - 0.05, look.eye_width * 0.47, 6)
        crease = ridge(Y - features.lid_fold(SIDE), 0.075) * span
        paint.tint(0.85 * crease, (0.42, 0.33, 0.31))


def _sprinkle(paint: Paint, features: Features, rng: np.random.Generator) -> None:
    """Paint freckles and moles."""
    freckles = np.zeros(SHAPE, np.float32)
    for _ in range(int(500 * features.look.freckles)):
        place = rng.normal(0, 3.2), rng.normal(features.look.eye_y + 2.6, 1.7)
        dot(freckles, place, rng.uniform(0.03, 0.09), rng.uniform(0.3, 0.9))
    paint.tint(0.8 * cv2.GaussianBlur(freckles, (0, 0), 0.8), (0.72, 0.55, 0.45))
    for x, y in rng.uniform((-5, -5), (5, 10), (rng.integers(0, 4), 2)):
        paint.tint(0.9 * bell(X - x, Y - y, 0.09), (0.45, 0.35, 0.3))


def _shade_nose(paint: Paint, features: Features) -> None:
    look, below = features.look, Y - features.nose_y
    out = SIDE - look.nose_width * 0.44
    nostril = bell(out, below - 0.06 + 0.12 * out, 0.2 * look.nose_width, 0.13)
    paint.tint(1.15 * nostril, (0.16, 0.10, 0.09))
    underside = bell(X, below - 0.28, look.nose_width * 0.8, 0.2)
    paint.tint(0.6 * underside, (0.74, 0.66, 0.64))
    wing = np.hypot((SIDE - look.nose_width * 0.78) / 0.55, (below + 0.32) / 0.62)
    outer = ramp(SIDE, look.nose_width * 0.8, look.nose_width * 1.05)
    paint.tint(0.75 * ridge(wing - 1, 0.16) * outer, (0.62, 0.5, 0.47))
    flank = bell(SIDE - look.bridge_width - 0.45, Y - look.eye_y - 1.6, 0.35, 1.4)
    paint.tint(0.6 * flank, (0.85, 0.80, 0.78))


def _paint_lips(paint: Paint, features: Features, rng: np.random.Generator) -> None:
    look = features.look
    u, below = features.along_mouth(X), Y - features.mouth_line(X)
    top, bottom = lip_masks(features)
    pale = np.array([0.80, 0.50, 0.50])
    colour = pale + (np.array([0.88, 0.27, 0.30]) - pale) * look.lip_colour
    paint.tint(top, colour * 0.86)
    paint.tint(bottom * (1 - top), colour)
    grain = np.clip(noise(rng, SHAPE, 5, stretch=3), 0, 1)
    paint.tint(0.5 * np.clip(top + bottom, 0, 1) * grain, (0.86, 0.82, 0.82))
    parting = ridge(below, 0.055 + 0.03 * np.clip(1 - u * u, 0, 1))
    paint.tint(0.95 * parting * (np.abs(u) < 1.02), (0.20, 0.10, 0.10))
    half = look.mouth_width / 2
    corner_y = features.mouth_line(np.array(half))
    corner = bell(SIDE - half, Y - corner_y, 0.16, 0.12)
    paint.tint(0.8 * corner, (0.45, 0.35, 0.33))
    _, lower = features.lips(X)
    shadow = ridge(below - lower - 0.14, 0.14) * ridge(u, 0.55, 4)
    paint.tint(0.7 * shadow, (0.70, 0.62, 0.6))


def gloss(features: Features, hairy: Array) -> Array:
    """Return how much each point of the face shines; `hairy` is 1 under brows and beard."""
    look = features.look
    top, bottom = lip_masks(features)
    shine = (
        0.5
        + 0.5 * bell(X, Y - features.nose_y + 0.7, 0.8, 0.9)
        + 0.35 * bell(X, Y - look.eye_y + 4.2, 2.6, 1.4)
        + 0.3 * bell(SIDE - 4.4, Y - look.eye_y - 2.4, 1.2, 0.8)
        + 1.1 * np.clip(top + bottom, 0, 1)
    )
    return np.asarray(np.clip(shine * (1 - 0.8 * np.clip(hairy, 0, 1)), 0, 3))


def occlusion(height: Array) -> Array:
    """Return how much light from all round reaches each point: hollows get less."""
    around = cv2.GaussianBlur(height, (0, 0), 22)
    return 1 - 0.42 * np.clip(around - height, 0, 1.1)
