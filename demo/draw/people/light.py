"""Compute how bright a lit surface looks."""

import cv2
import numpy as np

from demo.draw.curves import Array, unit
from demo.draw.people.person import SHADOW_PER_CM
from demo.draw.pose import Light

TO_CAMERA = np.array((0, 0, 1), np.float32)
UP = np.array((0, -1, 0), np.float32)
WRAP = np.array((0.32, 0.16, 0.10), np.float32)
"""Light seeps round the edge of skin, red the farthest."""


def shade(
    normals: Array,
    colour: Array,
    light: Light,
    *,
    open_sky: float | Array = 1.0,
    lit: float | Array = 1.0,
    gloss: float | Array = 0.0,
) -> Array:
    """Return the colour that the camera sees; `lit` is 0 in shadow, `open_sky` in a hollow."""
    lamp = light.direction
    facing = (normals @ lamp)[:, None]
    fill_from = unit(np.array((-1.2 * lamp[0], -0.1, 0.7), np.float32))
    fill = light.ambient * (0.72 + 0.28 * (normals @ UP))
    fill = (fill + 0.16 * np.clip(normals @ fill_from, 0, 1)) * open_sky
    direct = np.clip((facing + WRAP) / (1 + WRAP), 0, 1) * light.colour
    lit = np.asarray(lit)
    mirror = np.clip(normals @ unit(lamp + TO_CAMERA), 1e-3, 1) ** 22
    shine = 0.16 * gloss * lit * mirror
    bright: Array = (direct * lit.reshape(-1, 1) + fill[:, None]) * colour + shine[:, None]
    return bright


def cast_shadow(depth: Array, lamp: Array) -> Array:
    """Return where a height field lies in its own shadow: 1 in light, about 0.3 in shadow."""
    rows, columns = np.indices(depth.shape, np.float32)
    shadow = np.zeros_like(depth)
    for step in range(1, 15):
        reach = 0.28 * step
        across, down = (lamp[:2] * reach * SHADOW_PER_CM).astype(np.float32)
        toward = cv2.remap(
            depth,
            columns + across,
            rows + down,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=-5,
        )
        above = toward - depth - lamp[2] * reach
        shadow = np.maximum(shadow, above / (0.25 + 0.22 * reach))
    soft = cv2.GaussianBlur(np.clip(shadow, 0, 1).astype(np.float32), (0, 0), 2.2)
    return np.asarray(1 - 0.72 * soft, np.float32)
