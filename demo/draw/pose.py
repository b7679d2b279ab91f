"""How somebody holds their head, and how a camera and a light see that."""

from dataclasses import dataclass

import numpy as np

from demo.draw.curves import Array, unit

CAMERA_CM = 75.0
"""Distance of the camera: near enough that noses look near."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Place in the picture (pixels), angles (degrees) and expression (0 to 1)."""

    x: float = 320
    y: float = 230
    width: float = 130
    yaw: float = 0
    pitch: float = 0
    roll: float = 0
    blink: float = 0
    smile: float = 0
    talk: float = 0
    gaze_x: float = 0
    gaze_y: float = 0


@dataclass(frozen=True, slots=True)
class Light:
    """A lamp in a direction, and what comes from everywhere."""

    x: float = -0.35
    y: float = -0.55
    key: float = 1.0
    ambient: float = 0.42
    warmth: float = 0.0

    @property
    def direction(self) -> Array:
        """Return the direction towards the lamp."""
        return np.asarray(unit(np.array((self.x, self.y, 0.8))), np.float32)

    @property
    def colour(self) -> Array:
        """Return the lamp's light."""
        colour = np.array((1 + self.warmth, 1, 1 - 1.6 * self.warmth), np.float32)
        return self.key * 1.02 * colour


@dataclass(frozen=True, slots=True)
class View:
    """Where the points of a turned head fall in a picture."""

    rotation: Array
    scale: float
    centre: tuple[float, float]

    def project(self, points: Array) -> Array:
        """Return pixel x and y, and depth in centimetres, greater when nearer."""
        turned = points @ self.rotation.T
        near = (CAMERA_CM / (CAMERA_CM - turned[:, 2]))[:, None] * self.scale
        centre = np.array(self.centre, np.float32)
        return np.concatenate([turned[:, :2] * near + centre, turned[:, 2:]], 1)


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Turn to the side, then look up, then tilt."""
    y, p, r = np.radians((yaw, pitch, roll))
    turn = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    nod = [[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]]
    tilt = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.asarray(np.array(tilt) @ nod @ turn, np.float32)
