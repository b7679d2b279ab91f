"""Open the pictures of requests: JPEG or PNG, upright, within bounds (worker side)."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from local.rekognition.errors import invalid_format, invalid_parameter, too_large

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG")
SHORTEST_SIDE = 80  # both sides; Rekognition developer guide, "Guidelines and quotas"
MOST_PIXELS = 64_000_000
# Faces of 40 pixels in a picture of 1920 x 1080 are the smallest that count, and
# they grow with the picture: more pixels than these find nothing more.
LONGEST_SIDE = 1920


def open_image(data: bytes) -> Pixels:
    """Decode a picture to upright RGB, looking at its declared size first."""
    with warnings.catch_warnings():
        # The size is checked below; Pillow need not warn of it as well.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(*image.size)
                return _upright(image)
        except Image.DecompressionBombError as exc:
            raise too_large() from exc
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as exc:
            raise invalid_format() from exc


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise too_large()
    if min(width, height) < SHORTEST_SIDE:
        raise invalid_parameter("Image dimensions are too small")


def _upright(image: Image.Image) -> Pixels:
    if image.format == "JPEG":
        # Let the decoder throw away what would be scaled away: it saves memory.
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    turned = ImageOps.exif_transpose(image).convert("RGB")
    turned.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(turned)
