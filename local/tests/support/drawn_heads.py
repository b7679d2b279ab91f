"""Heads of the demo's people, drawn as a test wants them."""

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from demo.draw.figure import draw_person
from demo.draw.film import develop, person
from demo.draw.pose import Light, Pose

SIDE = 360


@cache
def head(name: str, **pose: Any) -> Image.Image:
    """Somebody before a grey wall; yaw, pitch and roll in degrees."""
    wall = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    held = Pose(x=SIDE / 2, y=SIDE / 2, width=150, **pose)
    return Image.fromarray(develop(draw_person(wall, person(name), held, Light()), seed=1))
