"""Model hair: a second shell round the head, with strands and a ragged edge."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from demo.draw.curves import Array, noise, ramp, unit
from demo.draw.face.features import Features
from demo.draw.face.skull import CROWN, Skull
from demo.draw.look import Look
from demo.draw.mesh import Mesh, grid_mesh, outward

ROWS, COLUMNS = 84, 129
STRANDS = (768, 1536)


@dataclass(frozen=True, slots=True)
class Cut:
    """One hair style; the hairline is given from forehead (0 degrees) to nape."""

    thickness: float
    end: float
    ragged: float
    shadow: float
    strand: tuple[float, float]
    degrees: tuple[float, ...]
    hairline: tuple[float, ...]
    hangs: bool = False

    def edge(self, longitude: Array, look: Look) -> Array:
        """Return the height below which the head is bare; on the forehead it is personal."""
        line = np.array(self.hairline)
        line[:3] += look.hairline
        return np.asarray(PchipInterpolator(self.degrees, line)(np.degrees(np.abs(longitude))))


CUTS = {
    "cropped": Cut(
        thickness=0.22,
        end=5.5,
        ragged=0.12,
        shadow=0.2,
        strand=(2.5, 1),
        degrees=(0, 22, 40, 54, 64, 76, 84, 100, 180),
        hairline=(0, -0.3, 0.1, -4.6, -2.2, 1.4, 0.8, 4.5, 7),
    ),
    "bowl": Cut(
        thickness=0.75,
        end=6.5,
        ragged=0.2,
        shadow=0.42,
        strand=(3, 34),
        degrees=(0, 30, 44, 52, 64, 76, 84, 100, 180),
        hairline=(0, 0.3, 1.2, -4.4, -2.0, 1.2, -0.2, 3.5, 6.5),
    ),
    "long": Cut(
        thickness=1.2,
        end=18,
        ragged=0.3,
        shadow=0.42,
        strand=(3, 34),
        degrees=(0, 10, 30, 40, 48, 56, 66, 180),
        hairline=(-0.9, -0.3, 2.6, 0.6, 6.5, 14, 20, 24),
        hangs=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Hair:
    """The shell, and for each of its points the place in the strands' texture."""

    mesh: Mesh
    places: Array
    strands: Array
    """Brightness, opacity and sideways tilt of the strands."""


def make_hair(features: Features, skull: Skull, rng: np.random.Generator) -> Hair:
    """Grow the hair of one person."""
    look = features.look
    cut = CUTS[look.hair_style]
    t = np.linspace(0, 1, ROWS)
    fall = 1 - np.cos(np.pi / 2 * (0.06 + 0.94 * t))
    rows = np.interp(fall, fall[[0, -1]], (CROWN, cut.end))
    around = np.linspace(-np.pi, np.pi, COLUMNS)
    y, longitude = np.meshgrid(rows, around, indexing="ij")
    mesh = grid_mesh(_shell(look, skull, y, longitude), np.array((0, 0, 0)))
    places = np.stack(
        [
            (longitude / (2 * np.pi) + 0.5) * (STRANDS[1] - 1),
            np.broadcast_to(t[:, None], y.shape) * (STRANDS[0] - 1),
        ],
        -1,
    ).reshape(-1, 2)
    heights = np.interp(np.linspace(0, 1, STRANDS[0]), t, rows)
    return Hair(mesh, places, _strands(look, heights, rng))


def _shell(look: Look, skull: Skull, y: Array, longitude: Array) -> Array:
    cut = CUTS[look.hair_style]
    thickness = cut.thickness * (look.hair_thickness / 1.1) ** 0.6
    covered = ramp(cut.edge(longitude, look) - y, -0.1, 2.2)
    thin = 0.25 if cut.hangs else 0.18
    depth = thickness * (thin + (1 - thin) * covered + 0.2 * ramp(-y, 7, 11.5))
    if cut.hangs:
        depth = depth + 0.22 * np.sin(0.55 * y + 5 * longitude) * ramp(y, 0, 8)
    head = skull.surface(np.clip(y, CROWN, 4), longitude)
    away = outward(head).reshape(head.shape)
    hanging = (ramp(y, 2, 6) * cut.hangs)[..., None]
    sideways = np.stack([np.sin(longitude), 0 * y, np.cos(longitude)], -1)
    away = unit(away * (1 - hanging) + sideways * hanging)
    away[:2] = 0, -1, 0
    away[..., 1] *= 1 - ramp(y, -3, 3)
    shell = head + depth[..., None] * away
    shell[..., 1] += y - head[..., 1]
    if cut.hangs:
        low = ramp(y, 1, 12)
        shell[..., 0] *= 1 + 0.16 * low
        shell[..., 2] = shell[..., 2] * (1 - 0.35 * low) - 1.5 * low
    return np.asarray(shell)


def _strands(look: Look, heights: Array, rng: np.random.Generator) -> Array:
    cut = CUTS[look.hair_style]
    size, stretch = cut.strand
    fine = noise(rng, STRANDS, size, stretch=stretch)
    coarse = noise(rng, STRANDS, 22, stretch=10)
    longitude = np.linspace(-np.pi, np.pi, STRANDS[1])
    above = cut.edge(longitude, look)[None] - heights[:, None]
    soft = 0.3 if stretch > 1 else 0.9
    opacity = ramp(above + cut.ragged * (0.7 * fine + 0.6 * coarse), -0.15, soft)
    below = heights[:, None] - cut.end
    if cut.hangs:
        tips = 0.5 * np.abs(fine) + 0.9 * np.abs(coarse)
        opacity = opacity * (1 - ramp(below + tips, -0.6, 0.1))
    else:
        opacity = opacity * (1 - ramp(below, -0.9, -0.1))
    brightness = np.clip(1 + 0.3 * fine + 0.16 * coarse, 0.25, 2.2)
    return np.dstack([brightness, opacity, 0.5 * fine]).astype(np.float32)


def roots(features: Features, skull: Skull, x: Array, y: Array) -> Array:
    """Return how far each point of the front of the head lies above the hair's edge."""
    width = skull.width(np.clip(y, CROWN, features.chin_y - 0.02))
    longitude = np.arcsin(np.clip(x / width, -1, 1))
    return CUTS[features.look.hair_style].edge(longitude, features.look) - y
