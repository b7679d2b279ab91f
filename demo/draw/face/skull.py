"""Model the head without its face: an ellipse at each height."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from demo.draw.curves import Array
from demo.draw.face.features import Features
from demo.draw.mesh import Mesh, grid_mesh

CROWN = -12.0
ROWS, COLUMNS = 96, 97


@dataclass(frozen=True, slots=True)
class Skull:
    """Half-widths and depths of the head at each height, and their surface."""

    width: PchipInterpolator
    front: PchipInterpolator
    back: PchipInterpolator
    mesh: Mesh
    longitude: Array

    def surface(self, y: Array, longitude: Array) -> Array:
        """Return points of the smooth head at these heights; longitude 0 is the nose."""
        forward = np.cos(longitude)
        depth = np.where(forward > 0, self.front(y), self.back(y)) * forward
        return np.stack([self.width(y) * np.sin(longitude), y, depth], -1)


def make_skull(features: Features) -> Skull:
    """Shape the head of one person."""
    look = features.look
    tall, jaw, chin = look.face_height, look.jaw, look.chin_width
    # From crown to chin: height, half-width, depth in front, depth behind.
    profile = np.array(
        [
            (CROWN, 0.02, 0.02, 0.02),
            (-11.75, 2.1, 2.6, 3.0),
            (-10.8, 4.5, 5.6, 6.0),
            (-9, 6.2, 7.6, 8.0),
            (-6, 7.25 * look.temple, 8.8, 9.3),
            (-3, 7.45 * look.temple, 9.15, 9.5),
            (0, 7.35, 9.1, 9.2),
            (2.5, 7.15, 9.1, 8.2),
            (5 * tall, 6.55 * (0.4 + 0.6 * jaw), 9.05, 6.5),
            (7.4 * tall, 5.75 * jaw, 8.95, 4.5),
            (9.3 * tall, 4.5 * (0.45 * jaw + 0.55 * chin**0.5), 8.8, 3.0),
            ((10.8 + look.chin_length * 0.7) * tall, 3.05 * chin**0.8, 8.5, 2.0),
            ((11.6 + look.chin_length) * tall, 1.7 * chin, 7.6, 1.0),
            (features.chin_y, 0.02, 6.2, 0.02),
        ]
    ).T
    width, front, back = (
        PchipInterpolator(profile[0], values)
        for values in (profile[1] * look.face_width, profile[2], profile[3])
    )
    # Rows are closer together at crown and chin, where the head curves most.
    rows = -np.cos(np.pi * np.linspace(0.04, 0.96, ROWS))
    y = np.interp(rows, rows[[0, -1]], (CROWN, features.chin_y))
    around = np.linspace(-np.pi, np.pi, COLUMNS)
    heights, longitude = np.meshgrid(y, around, indexing="ij")
    bare = Skull(width, front, back, Mesh(*(np.zeros(0),) * 3), longitude)
    mesh = grid_mesh(bare.surface(heights, longitude))
    return Skull(width, front, back, mesh, longitude.ravel())
