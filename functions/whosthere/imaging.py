"""Crop faces out of images, so that each can be searched and enrolled on its own."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whosthere.errors import PictureError
from whosthere.geometry import Box

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

FACE_PX = 120  # small faces are enlarged to this height, so that a picture can enroll somebody
MAX_ENLARGEMENT = 4.0


@dataclass(frozen=True, slots=True)
class Crops:
    """Two crops of one frame: `picture` for people and enrollment, `face` for comparison."""

    picture: bytes
    face: bytes


def crop(image: bytes, box: Box, others: Sequence[Box]) -> Crops:
    """Crop the frame around one face so that no other face in the crop is larger.

    Rekognition compares only the largest face of an image (SearchFacesByImage). Raises
    PictureError for a frame that cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image)) as opened:
            frame = opened.convert("RGB")
    except Exception as error:  # Pillow raises ValueError, OSError and others for what is damaged
        raise PictureError("the image cannot be decoded") from error
    wide = _without(box.grown(1.0, 0.9, 1.0, 1.3), box, others)
    near = _without(box.grown(0.5, 0.5, 0.5, 0.5), box, others)
    scale = min(MAX_ENLARGEMENT, max(1.0, FACE_PX / (box.height * frame.height)))
    return Crops(*(to_jpeg(_cut(frame, part, scale)) for part in (wide, near)))


def _without(cut: Box, box: Box, others: Sequence[Box]) -> Box:
    """Shrink the crop until the other faces lie outside, but never into the face's own box."""
    left, top, right, bottom = cut.left, cut.top, cut.right, cut.bottom
    for other in others:
        if other.right <= box.left:
            left = max(left, other.right)
        elif other.left >= box.right:
            right = min(right, other.left)
        elif other.bottom <= box.top:
            top = max(top, other.bottom)
        elif other.top >= box.bottom:
            bottom = min(bottom, other.top)
    return Box(left, top, right - left, bottom - top)


def _cut(frame: "PillowImage", part: Box, scale: float) -> "PillowImage":
    edges = (
        round(part.left * frame.width),
        round(part.top * frame.height),
        round(part.right * frame.width),
        round(part.bottom * frame.height),
    )
    cut = frame.crop(edges)
    # Rekognition takes images from 80 pixels a side (guidelines and quotas).
    scale = max(scale, 80 / min(cut.size))
    return cut.resize((round(cut.width * scale), round(cut.height * scale)))


def to_jpeg(image: "PillowImage") -> bytes:
    """Encode a Pillow image as JPEG."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()
