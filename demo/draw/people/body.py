"""Model neck, shoulders and ears."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from demo.draw.curves import Array
from demo.draw.look import Look
from demo.draw.mesh import Mesh, grid_mesh


def make_body(look: Look) -> Mesh:
    """Model neck and chest: an ellipse at each height, down to 45 cm below the eyes."""
    narrow = look.has_narrow_shoulders
    neck = look.face_width * (0.84 if narrow else 0.97)
    shoulders = 18.5 if narrow else 21.5
    y = np.concatenate([np.linspace(6, 15, 12), np.linspace(15.6, 45, 26)])
    width = PchipInterpolator(
        (6, 10, 13.5, 15.5, 17, 19, 23, 30, 60),
        (*(neck * np.array((5.6, 5.4, 5.7, 7.6))), 10.5, 14.5)
        + (shoulders - 1, shoulders, shoulders - 1),
    )(y)
    depth = PchipInterpolator(
        (6, 10, 14, 16, 20, 60), (*(neck * np.array((4.2, 4.6, 5.2))), 6.2, 8.5, 9.5)
    )(y)
    back = np.interp(y, (6, 15, 60), (-0.5, -1.8, -2.0))
    around = np.linspace(-np.pi, np.pi, 73)
    grid = np.stack(
        [
            width[:, None] * np.sin(around),
            np.broadcast_to(y[:, None], (len(y), len(around))),
            back[:, None] + depth[:, None] * np.cos(around),
        ],
        -1,
    )
    axis = np.stack([0 * y, y, back], -1)
    return grid_mesh(grid, np.repeat(axis, len(around), 0))


def make_ears(look: Look) -> list[tuple[Mesh, Array]]:
    """Model both ears, each with its points' positions within the ear."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, 18), np.linspace(-np.pi, np.pi, 25), indexing="ij"
    )
    shell = np.stack(
        [
            0.75 * np.sin(polar) * np.cos(around),
            -3.1 * np.cos(polar),
            1.75 * np.sin(polar) * np.sin(around) * (1 + 0.25 * np.cos(polar)),
        ],
        -1,
    )
    ears = []
    for side in (-1, 1):
        cos, sin = np.cos(0.45), side * np.sin(0.45)
        ear = shell @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        root = np.array((side * (7.25 * look.face_width + 0.15), 2.2 + look.eye_y, -0.9))
        ears.append((grid_mesh(ear + root, root), ear.reshape(-1, 3)))
    return ears
