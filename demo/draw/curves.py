"""Small shapes in one and two dimensions that everything drawn is made of."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[Any]
"""Numbers of any kind: numpy's own types lose track of float32 in nearly every line."""

GAMMA = 2.2


def ramp(x: Array, start: float | Array, end: float | Array) -> Array:
    """Rise smoothly from 0 at `start` to 1 at `end`; falls when `start` is greater."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def bell(x: Array, y: Array, width: float, height: float | None = None) -> Array:
    """Return a bump of height 1 at the origin, with these standard deviations."""
    height = width if height is None else height
    return np.exp(-0.5 * ((x / width) ** 2 + (y / height) ** 2))


def ridge(distance: Array, width: float | Array, power: float = 2) -> Array:
    """Return a ridge of height 1 along distance 0, flatter on top with a greater power."""
    return np.exp(-(np.abs(distance / width) ** power))


def unit(vectors: Array) -> Array:
    """Scale the last axis to length 1."""
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)


def linear(rgb: ArrayLike) -> Array:
    """Turn a colour as screens show it (0 to 255) into light (0 to 1)."""
    return (np.asarray(rgb, np.float32) / 255) ** GAMMA


def noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size: float,
    *,
    octaves: int = 2,
    stretch: float = 1,
) -> Array:
    """Return smooth noise of variance 1 whose blobs are `size` wide and `stretch` as tall."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        blob, strength = size / 2**octave, 0.6**octave
        rows = max(2, int(height / (blob * stretch)) + 2)
        columns = max(2, int(width / blob) + 2)
        grain = rng.standard_normal((rows, columns)).astype(np.float32)
        total += strength * cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        power += strength**2
    return total / np.float32(np.sqrt(power))
