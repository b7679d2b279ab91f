"""Measure a face's pose, brightness and sharpness (worker process)."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# An average head in centimetres for some of the 68 landmarks: right, down and towards the
# viewer, from the middle between the outer corners of the eyes. Brows, nose, eyes, mouth and
# chin; the outline of the jaw is left out because it slides along the head as that turns.
HEAD = {
    17: (-6.0, -1.6, 0.3), 19: (-3.8, -2.9, 2.2), 21: (-1.2, -2.2, 3.0),
    22: (1.2, -2.2, 3.0), 24: (3.8, -2.9, 2.2), 26: (6.0, -1.6, 0.3),
    27: (0.0, -0.2, 2.7), 28: (0.0, 1.1, 3.4), 29: (0.0, 2.3, 4.2), 30: (0.0, 3.5, 5.0),
    31: (-1.5, 4.4, 3.0), 33: (0.0, 4.8, 3.5), 35: (1.5, 4.4, 3.0),
    36: (-4.5, 0.0, 0.0), 39: (-1.65, 0.1, 0.9), 42: (1.65, 0.1, 0.9), 45: (4.5, 0.0, 0.0),
    48: (-2.6, 7.2, 2.0), 51: (0.0, 6.5, 3.4), 54: (2.6, 7.2, 2.0), 57: (0.0, 8.2, 3.1),
    8: (0.0, 11.2, 2.2),
}  # fmt: skip
_USED = list(HEAD)
_MODEL = np.array(list(HEAD.values()))
_MODEL -= _MODEL.mean(axis=0)

# The contrast-free energy of fine detail at which a face counts as half sharp.
HALF_SHARP = 0.01
# The same energy of the rounding to whole grey levels, which no blur takes away.
_ROUNDING = 20 / 12 * (0.299**2 + 0.587**2 + 0.114**2)


def pose(points: Points) -> dict[str, float]:
    """Return pitch, roll and yaw in degrees, of the average head that fits best.

    The signs are Rekognition's: yaw grows as the nose moves to the right of the picture, pitch
    as it moves up, roll as the head tilts clockwise (checked on the answers that the AWS CLI's
    examples of detect-faces, index-faces and get-celebrity-recognition show).
    """
    seen = points[_USED] - points[_USED].mean(axis=0)
    across, _, _, _ = np.linalg.lstsq(_MODEL, seen, rcond=None)
    # The nearest two rows of a rotation: the picture's axes as the head sees them.
    left, _, right = np.linalg.svd(across.T, full_matrices=False)
    rows = left @ right
    towards = np.cross(rows[0], rows[1])[2]
    x, y, z = rows[0, 2], rows[1, 2], abs(towards)
    return {
        "Pitch": float(np.degrees(np.arctan2(-y, np.hypot(x, z)))),
        "Roll": float(np.degrees(np.arctan2(rows[1, 0], rows[0, 0]))),
        "Yaw": float(np.degrees(np.arctan2(x, z))),
    }


def brightness(chip: NDArray[np.uint8]) -> float:
    """Return the mean luma of an aligned face, as a percentage."""
    return float(_luma(chip[20:-10, 20:-20]).mean() / 255 * 100)


def sharpness(face: NDArray[np.uint8]) -> float:
    """Return the fine detail of a face relative to its contrast, 0 to 100, at one size."""
    luma = _luma(face)
    fine = (
        4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    )
    contrast = float(luma.var()) + 1.0  # grey levels; a flat picture has no detail to lose
    energy = max(float((fine**2).mean()) - _ROUNDING, 0.0) / contrast
    return 100 * energy / (energy + HALF_SHARP)


def _luma(pixels: NDArray[np.uint8]) -> Points:
    return np.asarray(pixels.astype(float) @ np.array([0.299, 0.587, 0.114]))
