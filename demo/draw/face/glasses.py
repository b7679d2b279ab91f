"""Round glasses: wire that runs through space in front of the face."""

from collections.abc import Callable

import cv2
import numpy as np

from demo.draw.curves import Array, linear
from demo.draw.look import Look

RIM_CM = 2.15
WIRE_CM = 0.13
WIRE = linear((60, 45, 30)).tolist()
SHIFT = 4
"""OpenCV takes sixteenths of a pixel."""


def draw_glasses(
    picture: Array, look: Look, project: Callable[[Array], Array], scale: float
) -> None:
    """Draw rims, bridge and side pieces into a picture of linear light."""
    width = max(1, round(WIRE_CM * scale))

    def wire(points: Array, *, closed: bool) -> None:
        flat = np.round(project(points)[:, :2] * 2**SHIFT).astype(np.int32)
        cv2.polylines(picture, [flat], closed, WIRE, width, cv2.LINE_AA, SHIFT)

    y, inner = look.eye_y + 0.25, max(0.2, look.eye_offset - RIM_CM)
    angle = np.linspace(0, 2 * np.pi, 64)
    for side in (-1, 1):
        x = side * look.eye_offset + RIM_CM * np.cos(angle)
        wire(np.stack([x, y + RIM_CM * np.sin(angle), 10 - 0.03 * x**2], 1), closed=True)
        outer = look.eye_offset + RIM_CM
        hinge = (side * outer, y - 0.5, 10 - 0.03 * outer**2)
        # The rest of the side piece lies under the hair.
        temple = (side * 6.3 * look.face_width, y - 0.45, 6.0)
        wire(np.array((hinge, temple)), closed=False)
    x = np.linspace(-inner, inner, 12)
    arch = y - 0.6 + 0.25 * (x / inner) ** 2
    wire(np.stack([x, arch, np.full(12, 10.0)], 1), closed=False)
