"""Portraits of the demo's people, and raw answers checked against AWS's own model."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.laptop import LaptopAWS
from local.security.signing import ServiceError
from local.tests.support.model_checks import ask

PEOPLE = Path(__file__).parents[3] / "demo" / "people"


SIZE = (330, 420)  # each picture is searched at twice its size too, which takes time


def portrait(name: str, number: int = 1, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture of one of the demo's people, by default smaller than its file."""
    whole = Image.open(PEOPLE / name / f"{number}.jpg").convert("RGB")
    return whole.resize(size, Image.Resampling.LANCZOS)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(name: str, number: int = 1) -> bytes:
    """A portrait's file."""
    return (PEOPLE / name / f"{number}.jpg").read_bytes()


def together(*images: Image.Image) -> Image.Image:
    """Pictures side by side."""
    joined = Image.new("RGB", (sum(one.width for one in images), images[0].height))
    left = 0
    for one in images:
        joined.paste(one, (left, 0))
        left += one.width
    return joined


def answered(laptop: LaptopAWS, operation: str, **parameters: Any) -> dict[str, Any]:
    """The answer as it came over the wire, after a check against AWS's model."""
    code, answer = ask(laptop, "rekognition", operation, parameters)
    if code:
        raise ServiceError(code, answer["message"])
    return dict(answer)


def service_error(laptop: LaptopAWS, operation: str, **parameters: Any) -> str:
    """The code of the error that a single request brings, without the retries of an SDK."""
    with pytest.raises(ServiceError) as caught:
        answered(laptop, operation, **parameters)
    return caught.value.code
