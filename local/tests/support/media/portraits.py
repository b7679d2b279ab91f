"""Pictures of people who do not exist: portraits, heads turned step by step, files of both.

They lie in `local/tests/data`: two portraits each of Zoë and Ravi, and for each of four people a
sheet of heads in steps of ten degrees: yaw from -30 to 40 above, roll from -40 to 40 below.
"""

import io
from pathlib import Path
from typing import Any

from PIL import Image

DATA = Path(__file__).parents[2] / "data"
PEOPLE = DATA / "people"
SIZE = (330, 420)  # each picture is searched at twice its size too, which takes time
SIDE, STEP = 360, 10  # of a head on its sheet: pixels, degrees from one to the next
FIRST = {"yaw": -30, "roll": -40}  # degrees, by row


def portrait(name: str, number: int = 1, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a person's portrait, by default smaller than its file."""
    whole = Image.open(PEOPLE / name / f"{number}.jpg").convert("RGB")
    return whole.resize(size, Image.Resampling.LANCZOS)


def photo(name: str, number: int = 1) -> bytes:
    """Return the file of a portrait."""
    return (PEOPLE / name / f"{number}.jpg").read_bytes()


def head(name: str, axis: str = "yaw", angle: int = 0) -> Image.Image:
    """Return a person's head before a grey wall, turned around an axis by an angle in degrees."""
    left = SIDE * ((angle - FIRST[axis]) // STEP)
    top = SIDE * list(FIRST).index(axis)
    sheet = Image.open(DATA / "heads" / f"{name}.webp").convert("RGB")
    return sheet.crop((left, top, left + SIDE, top + SIDE))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def together(*images: Image.Image) -> Image.Image:
    """Return pictures side by side."""
    joined = Image.new("RGB", (sum(one.width for one in images), images[0].height))
    left = 0
    for one in images:
        joined.paste(one, (left, 0))
        left += one.width
    return joined
