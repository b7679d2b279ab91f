"""Portraits of the demo's people, and raw answers checked against AWS's own model."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from PIL import Image

from local.laptop import LaptopAWS
from local.signing import Credentials, ServiceError, call

PEOPLE = Path(__file__).parents[2] / "demo" / "people"
KINDS: dict[str, Any] = {
    "structure": dict, "list": list, "map": dict, "string": str, "boolean": bool,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "timestamp": (int, float),
}  # fmt: skip


def portrait(name: str, number: int = 1) -> Image.Image:
    """A picture of one of the demo's people."""
    return Image.open(PEOPLE / name / f"{number}.jpg").convert("RGB")


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


@cache
def model() -> ServiceModel:
    """AWS's model of Rekognition."""
    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def answered(laptop: LaptopAWS, operation: str, **parameters: Any) -> dict[str, Any]:
    """The answer as it came over the wire, after a check against AWS's model."""
    environment = laptop.environment()
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    endpoint = laptop.facts["endpoint"]
    answer = call(endpoint, keys, "rekognition", operation, parameters, region="us-east-1")
    check(model().operation_model(operation).output_shape, answer, operation)
    return answer


def service_error(laptop: LaptopAWS, operation: str, **parameters: Any) -> str:
    """The code of the error that a single request brings, without the retries of an SDK."""
    with pytest.raises(ServiceError) as caught:
        answered(laptop, operation, **parameters)
    return caught.value.code


def check(shape: Any, value: Any, path: str) -> None:
    """Every field is one of the model's, and of its type."""
    assert isinstance(value, KINDS[shape.type_name]), path
    if shape.type_name == "structure":
        unknown = value.keys() - shape.members.keys()
        assert not unknown, f"{path}: {unknown}"
        for name, one in value.items():
            check(shape.members[name], one, f"{path}.{name}")
    elif shape.type_name == "list":
        for one in value:
            check(shape.member, one, f"{path}[]")
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum, path
