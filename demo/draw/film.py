"""Draw the frames of the film and encode them as H.264."""

from collections.abc import Iterator
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np

from demo.draw.curves import GAMMA, Array
from demo.draw.look import looks
from demo.draw.people.figure import draw_person
from demo.draw.people.person import Person, make_person
from demo.draw.porch import SIZE, draw_porch
from demo.draw.pose import Light
from demo.draw.script import FPS, SECONDS, in_picture

DAYLIGHT = Light(x=-0.3, y=-0.6, key=0.95, ambient=0.48, warmth=0.03)
GRAIN = 0.006
FRAMES = round(SECONDS * FPS)


@cache
def person(name: str) -> Person:
    """Return one of the people; modelling a person takes a second, so it is done once."""
    return make_person(looks()[name])


@cache
def _porch() -> Array:
    return draw_porch()


def draw_frame(number: int) -> Array:
    """Draw one frame of the film, as 8-bit RGB."""
    picture = _porch()
    for appearance, pose in in_picture(number / FPS):
        picture = draw_person(picture, person(appearance.who), pose, DAYLIGHT)
    return develop(picture, seed=number)


def develop(picture: Array, seed: int) -> Array:
    """Turn linear light into 8-bit RGB with a camera's grain."""
    grain = np.random.default_rng(seed).standard_normal((*picture.shape[:2], 1))
    shown = np.clip(picture, 0, 1) ** (1 / GAMMA) + GRAIN * grain
    return np.asarray(np.clip(shown, 0, 1) * 255 + 0.5, np.uint8)


def frames(processes: int = 2) -> Iterator[Array]:
    """Draw all frames, in order."""
    # Spawned, because OpenCV's threads do not survive a fork; one thread in each,
    # because the processes are what uses the cores.
    spawned = get_context("spawn")
    with spawned.Pool(processes, cv2.setNumThreads, (1,)) as pool:
        yield from pool.imap(draw_frame, range(FRAMES), chunksize=4)


def encode(pictures: Iterator[Array], path: Path) -> None:
    """Write pictures as a film with a key frame each second."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as film:
        stream = film.add_stream("libx264", rate=FPS)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.gop_size = FPS
        # One thread: the same bytes on every machine, whatever its cores.
        stream.options = {"preset": "slow", "crf": "24", "threads": "1", "bf": "0"}
        for picture in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())
