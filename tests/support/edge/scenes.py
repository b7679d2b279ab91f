"""Synthetic scenes for motion detection."""

import numpy as np

from edge.tagging.motion import COLUMNS, ROWS, MotionDetector


class Scene:
    """A picture of a wall and a door, with noise from a fixed seed."""

    def __init__(self, noise=2.0):
        self._random = np.random.default_rng(7)
        rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
        self.wall = 90 + 40 * np.sin(columns / 9) + 30 * (rows > 50)
        self.noise = noise

    def picture(self, *, gain=1.0, shift=0.0, person=None, height=24, bands=0.0, glitch=False):
        """Draw the scene; a person stands at column `person`."""
        picture = self.wall.copy()
        if person is not None:
            picture[40 : 40 + height, person : person + max(3, height // 3)] = 30
        if bands:
            picture[::8] += bands
        if glitch:
            picture[10:60, 20:110] += 60
        picture = picture * gain + shift
        picture += self._random.normal(0, self.noise, picture.shape)
        return np.clip(picture, 0, 255).astype(np.uint8)


def watch(pictures, *, rate=5.0, sensitivity=0.5, counted=None, start=1000.0):
    """Detect motion in successive pictures; return whether each was motion."""
    motion = MotionDetector(sensitivity, counted)
    return [
        motion.detect(picture, start + n / rate).is_motion for n, picture in enumerate(pictures)
    ]
