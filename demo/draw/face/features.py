"""Compute where the parts of a face lie from a person's figures."""

import math
from dataclasses import dataclass

import numpy as np

from demo.draw.curves import Array
from demo.draw.look import Look


@dataclass(frozen=True, slots=True)
class Features:
    """Heights and outlines in head space: y is 0 between the eyes and grows downward."""

    look: Look

    @property
    def nose_y(self) -> float:
        """Return the height of the nose's underside."""
        return self.look.eye_y + self.look.nose_length

    @property
    def mouth_y(self) -> float:
        """Return the height at which the lips meet."""
        return self.nose_y + self.look.mouth_drop * math.sqrt(self.look.face_height)

    @property
    def chin_y(self) -> float:
        """Return the height of the chin, the lowest point of the head."""
        return (11.95 + self.look.chin_length) * self.look.face_height

    def along_mouth(self, x: Array) -> Array:
        """Return -1 to 1 from one corner of the mouth to the other."""
        return x / (self.look.mouth_width / 2)

    def mouth_line(self, x: Array) -> Array:
        """Return the line between the lips."""
        u = self.along_mouth(x)
        bow = 0.1 * np.exp(-((u / 0.13) ** 2)) - 0.1 * np.exp(-((u / 0.5) ** 2))
        return self.mouth_y - self.look.mouth_corner * u * u + bow

    def lips(self, x: Array) -> tuple[Array, Array]:
        """Return the height of the upper and of the lower lip."""
        u = self.along_mouth(x)
        shape = np.clip(1 - u * u, 0, 1)
        dip = 1 - 0.28 * np.exp(-((u / 0.11) ** 2))
        peaks = 1 + 0.18 * np.exp(-(((np.abs(u) - 0.22) / 0.12) ** 2))
        upper = self.look.upper_lip * shape**0.8 * dip * peaks
        return upper, self.look.lower_lip * shape**0.62

    def lids(self, u: Array, opening: float = 1) -> tuple[Array, Array]:
        """Return upper and lower lid below the eye's middle; u is -1 at the nose, 1 outside."""
        look = self.look
        shape = np.clip(1 - np.abs(u) ** 2.2, 0, 1)
        upper = -look.eye_height * 0.6 * shape**0.75 * (1 - 0.12 * u)
        lower = look.eye_height * 0.4 * shape**0.9 * (1 + 0.15 * u)
        closed = lower * 0.75
        slant = -look.eye_slant * 0.75 * u
        return closed + (upper - closed) * opening + slant, lower + slant

    def lid_fold(self, side: Array) -> Array:
        """Return the crease above the upper lid."""
        look = self.look
        u = np.clip((side - look.eye_offset) / (look.eye_width / 2), -1.25, 1.25)
        upper, _ = self.lids(np.clip(u, -1, 1) * 0.85)
        return look.eye_y + upper - look.lid_fold * (0.75 + 0.25 * np.cos(u * 1.5))

    def smile_fold(self, y: Array) -> Array:
        """Return the distance from the middle of the fold between nose and mouth corner."""
        return 1.75 + 0.55 * (y - self.nose_y) + 0.024 * self.look.mouth_width
