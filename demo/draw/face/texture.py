"""The flat picture that is projected onto the front of a head, in centimetres."""

import cv2
import numpy as np

from demo.draw.curves import Array

PER_CM = 32
LEFT, TOP = -9.0, -13.0
SHAPE = (848, 576)

X, Y = (
    axis.astype(np.float32)
    for axis in np.meshgrid(
        (np.arange(SHAPE[1]) + 0.5) / PER_CM + LEFT,
        (np.arange(SHAPE[0]) + 0.5) / PER_CM + TOP,
    )
)
SIDE = np.abs(X)
"""Distance from the middle of the face: most of a face is drawn twice, mirrored."""


def look_up(texture: Array, columns: Array, rows: Array) -> Array:
    """Read a texture between its texels, at flat lists of places."""
    count, width = len(columns), 1024
    places = np.zeros((2, (count // width + 1) * width), np.float32)
    places[:, :count] = columns, rows
    # OpenCV's remap takes pictures, not lists, and none wider than 32767.
    found = cv2.remap(
        texture,
        places[0].reshape(-1, width),
        places[1].reshape(-1, width),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found.reshape((-1, *texture.shape[2:]))[:count])


def sample(texture: Array, x: Array, y: Array, per_cm: float = PER_CM) -> Array:
    """Read a front texture at places on the head, in centimetres."""
    return look_up(texture, (x - LEFT) * per_cm - 0.5, (y - TOP) * per_cm - 0.5)


def dot(mask: Array, centre: tuple[float, float], radius: float, value: float) -> None:
    """Draw a soft dot into a mask, in centimetres."""
    x, y = ((np.array(centre) - (LEFT, TOP)) * PER_CM * 8).astype(int).tolist()
    cv2.circle(mask, (x, y), int(radius * PER_CM * 8), value, -1, cv2.LINE_AA, 3)


def stroke(mask: Array, start: Array, end: Array, value: float) -> None:
    """Draw one hair into a mask, in centimetres."""
    a, b = (
        ((point - np.array((LEFT, TOP))) * PER_CM * 8).astype(int).tolist()
        for point in (start, end)
    )
    cv2.line(mask, a, b, value, 1, cv2.LINE_AA, 3)
