"""Draw the photos that enroll the people: indoors, in other light and other poses."""

from pathlib import Path

import cv2
import numpy as np

from demo.draw.curves import Array, linear, ramp
from demo.draw.film import develop, person
from demo.draw.people.figure import draw_person
from demo.draw.pose import Light, Pose

SIZE = (560, 440)
QUALITY = 90

type Portrait = tuple[Pose, Light, tuple[int, int, int]]

PORTRAITS: dict[str, tuple[Portrait, ...]] = {
    "Zoë": (
        (
            Pose(x=218, y=252, width=196, yaw=1, pitch=-11, smile=0.5, roll=-2),
            Light(x=0.5, y=-0.5, key=0.9, ambient=0.45, warmth=0.05),
            (206, 196, 180),
        ),
        (
            Pose(x=226, y=250, width=184, yaw=-10, pitch=-10, smile=0.1, roll=3),
            Light(x=-0.6, y=-0.5, key=0.9, ambient=0.45),
            (150, 168, 172),
        ),
    ),
    "Ravi": (
        (
            Pose(x=222, y=250, width=196, yaw=-10, pitch=-10, roll=2),
            Light(x=-0.6, y=-0.5, key=0.9, ambient=0.45, warmth=0.04),
            (176, 186, 164),
        ),
        (
            Pose(x=214, y=252, width=186, yaw=2, pitch=-12, smile=0.7, roll=-2),
            Light(x=-0.5, y=-0.5, key=0.9, ambient=0.45),
            (196, 178, 168),
        ),
    ),
}
"""Everybody looks a little down into the camera, as on a photo taken by hand. The door's
camera looks up at them; so who there looks up at the sky is far from these pictures."""


def draw_portrait(name: str, number: int) -> Array:
    """Draw one portrait (numbers start at 1), as 8-bit RGB."""
    pose, light, wall = PORTRAITS[name][number - 1]
    y, x = np.indices(SIZE, np.float32)
    far = np.hypot(x / SIZE[1] - 0.4, y / SIZE[0] - 0.3)
    picture = linear(wall) * (1.1 - 0.5 * ramp(far, 0, 1.2))[..., None]
    picture = draw_person(picture.astype(np.float32), person(name), pose, light)
    return develop(picture, seed=number)


def write_portraits(folder: Path) -> None:
    """Write everybody's portraits as JPEG files, `<name>/<number>.jpg`."""
    for name, portraits in PORTRAITS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(1, len(portraits) + 1):
            bgr = draw_portrait(name, number)[:, :, ::-1]
            _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            (folder / name / f"{number}.jpg").write_bytes(jpeg.tobytes())
