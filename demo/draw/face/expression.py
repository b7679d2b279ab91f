"""Draw facial expressions: eyes that look and blink, a mouth that smiles and talks."""

from dataclasses import dataclass

import numpy as np

from demo.draw.curves import Array, bell, linear, ramp, ridge, unit
from demo.draw.face.features import Features
from demo.draw.pose import Pose

IRIS, PUPIL = 0.60, 0.24
EYE_WHITE = np.array((0.70, 0.66, 0.63), np.float32)
WET_EDGE = np.array((0.26, 0.16, 0.147), np.float32)
TEAR_DUCT = np.array((0.62, 0.32, 0.30), np.float32)
LASHES = np.array((0.016, 0.012, 0.010), np.float32)
THROAT = np.array((0.055, 0.018, 0.018), np.float32)
TEETH = np.array((0.62, 0.58, 0.52), np.float32)


@dataclass(frozen=True, slots=True)
class Mouth:
    """A mouth in motion: from where on the face at rest each pixel is taken."""

    x: Array
    y: Array
    opening: Array
    colour: Array


def move_mouth(features: Features, pose: Pose, x: Array, y: Array) -> Mouth:
    """Smile and talk at these places of the head."""
    u = features.along_mouth(x)
    pull = pose.smile * ridge(np.abs(u) - 0.95, 0.55) * ridge(y - features.mouth_y, 1.6)
    rest_x, rest_y = x - 0.34 * np.sign(x) * pull, y + 0.42 * pull * np.abs(u)
    gap = 0.9 * pose.talk * np.clip(1 - (u / (1 + 0.06 * pose.smile)) ** 2, 0, 1) ** 0.75
    below = rest_y - features.mouth_line(x)
    dropped = 0.75 * gap * (1 - ramp(below, 2, 4.5)) * (below > 0.5 * gap)
    opening = ramp(below, -0.02, 0.06) * (1 - ramp(below - 0.75 * gap, -0.06, 0.02))
    teeth_end = 0.22 + 0.1 * pose.smile
    teeth = (1 - ramp(below, teeth_end, teeth_end + 0.08)) * (np.abs(u) < 0.72)
    between = 1 - 0.25 * ridge((1.35 * x + 0.5) % 1 - 0.5, 0.06)
    shaded = 0.8 * between * (1 - 0.5 * ramp(np.abs(u), 0.25, 0.75))
    ivory = TEETH * shaded[:, None]
    colour = THROAT + (ivory - THROAT) * teeth[:, None]
    return Mouth(rest_x, rest_y - dropped, opening * (gap > 0.03), colour)


def smile_lines(features: Features, pose: Pose, x: Array, y: Array) -> Array:
    """Return how much light the folds beside a smile leave."""
    nose, mouth = features.nose_y, features.mouth_y
    span = ramp(y, nose - 0.7, nose + 0.3) * (1 - ramp(y, mouth - 0.6, mouth + 0.6))
    beside = np.abs(x) - features.smile_fold(y) - 0.15 * pose.smile
    left: Array = 1 - 0.22 * pose.smile * span * ridge(beside, 0.2)
    return left


@dataclass(frozen=True, slots=True)
class Eye:
    """One eye: the pixels round it, their colour, and how much eyeball they show."""

    pixels: Array
    colour: Array
    normals: Array
    visible: Array


def draw_eye(
    features: Features, pose: Pose, side: int, places: Array, skin: Array, glint: float
) -> Eye:
    """Draw the left (-1) or right (1) eye over the skin at these places of the head."""
    look = features.look
    from_middle = places[:, 0] - side * look.eye_offset
    u, v = side * from_middle / (look.eye_width / 2), places[:, 1] - look.eye_y
    near = (np.abs(u) < 1.25) & (np.abs(v) < 1.3) & (places[:, 2] > 0)
    pixels, u, v, across = np.flatnonzero(near), u[near], v[near], from_middle[near]
    opening = max(0.0, 1 - pose.blink - 0.12 * pose.smile)
    upper, lower = features.lids(np.clip(u, -1, 1), opening)
    visible = ramp(np.minimum(v - upper, lower - v), -0.03, 0.04) * (np.abs(u) < 1)
    ball = _eyeball(features, across - pose.gaze_x, v - pose.gaze_y + 0.06, u, v)
    ball = ball * (0.42 + 0.58 * ramp(v - upper, 0, 0.42))[:, None]
    ball += _shine(features, across - pose.gaze_x, v - pose.gaze_y + 0.06, glint)
    colour = skin[near] + (ball - skin[near]) * visible[:, None]
    colour = _rim(features, colour, u, v - lower, visible)
    colour = _lashes(features, colour, u, v - upper)
    bulge = unit(np.stack([0.3 * across, 0.3 * v, np.ones_like(v)], -1))
    return Eye(pixels, colour, bulge, visible)


def _eyeball(features: Features, x: Array, y: Array, u: Array, v: Array) -> Array:
    """Return white, iris and pupil; x and y are from the pupil, u and v from the eye."""
    white = EYE_WHITE * (1 - 0.18 * ramp(np.abs(u), 0.4, 1))[:, None]
    tear = 0.8 * bell(u + 0.93, v - 0.08, 0.10, 0.2)[:, None]
    white = white * (1 - tear) + TEAR_DUCT * tear
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    rays = 0.22 * np.sin(23 * angle + features.look.seed % 7) * np.sin(9 * angle + 1)
    bright = np.clip(0.72 + rays + 0.35 * ramp(r, 0.18, 0.5), 0.4, 1.5)
    bright *= 1.15 - 0.75 * ramp(r, 0.46, IRIS)
    pupil = (1 - ramp(r, PUPIL - 0.03, PUPIL + 0.03))[:, None]
    iris = linear(features.look.iris) * bright[:, None] * (1 - pupil) + 0.006 * pupil
    ball: Array = white + (iris - white) * (1 - ramp(r, IRIS - 0.04, IRIS + 0.04))[:, None]
    return ball


def _shine(features: Features, x: Array, y: Array, glint: float) -> Array:
    """Return the lamp's reflection in the eye, and its reflection from below."""
    lamp = 1 - ramp(np.hypot(x - 0.17 * glint, y + 0.2), 0.055, 0.11)
    bounce = 1 - ramp(np.hypot(x + 0.2 * glint, y - 0.18), 0.03, 0.10)
    return (0.9 * features.look.eye_sparkle * (lamp + 0.35 * bounce))[:, None]


def _rim(features: Features, colour: Array, u: Array, below: Array, ball: Array) -> Array:
    """Return the lower lid's wet edge and its lashes."""
    inside = np.abs(u) < 0.97
    lower = 0.27 * ridge(below - 0.02, 0.045) * inside * (1 - ball)
    colour = colour * (1 - lower * (0.5 + 0.5 * features.look.lashes))[:, None]
    edge = 0.25 * (ridge(below - 0.03, 0.06) * inside)[:, None]
    return colour * (1 - edge) + WET_EDGE * edge


def _lashes(features: Features, colour: Array, u: Array, below: Array) -> Array:
    lashes = features.look.lashes
    width = 0.05 + 0.07 * lashes * (0.6 + 0.4 * np.clip(u, -1, 1))
    line = ridge(np.clip(np.abs(below + 0.02) - 0.02, 0, None), width)
    line = line * (np.abs(u) < 1.04 + 0.1 * lashes) * (0.55 + 0.45 * ramp(u, -1, 0.2))
    strength = np.clip(line * (0.6 + 0.4 * lashes), 0, 1)[:, None]
    return colour * (1 - strength) + LASHES * strength
