"""Crop faces out of images, to be searched and enrolled, and tell whether an image has changed."""

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
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 80  # Rekognition takes images from 80 pixels a side (guidelines and quotas)
MAX_SIDE_PX = 10_000  # a crop as thin as a line would grow without bounds to have that
# A JPEG decodes to one point for each of its blocks without the work for the rest. A face that is
# large enough to be compared covers several.
BLOCK_PX = 8
MAX_BLOCKS = 240 * 135  # of 1920 x 1080 pixels; what is larger takes too much of a row


@dataclass(frozen=True, slots=True)
class Crops:
    """Two crops of one frame: `picture` for people and enrollment, `face` for comparison."""

    picture: bytes
    face: bytes


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image in grey, one level (0 to 255) for each block, row by row."""

    width: int
    levels: bytes

    def change(self, other: "Thumbnail") -> int:
        """Return by how many levels the block that differs most does; 255 for another size."""
        if (self.width, len(self.levels)) != (other.width, len(other.levels)):
            return 255
        from PIL import ImageChops

        difference = ImageChops.difference(self._image(), other._image())
        return int(difference.getextrema()[1])  # type: ignore[arg-type]

    def _image(self) -> "PillowImage":
        from PIL import Image

        size = self.width, len(self.levels) // self.width
        return Image.frombytes("L", size, self.levels)


def thumbnail(content: bytes) -> Thumbnail | None:
    """Return an image's thumbnail, or None if it is too large to be compared or is damaged."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as opened:
            width, height = (-(-side // BLOCK_PX) for side in opened.size)
            if width * height > MAX_BLOCKS:
                return None
            opened.draft("L", (opened.width // BLOCK_PX, opened.height // BLOCK_PX))
            grey = opened.convert("L")
            grey = grey.reduce(max(1, round(grey.width / width)))  # no draft of a PNG
    except Exception:  # Pillow raises OSError, SyntaxError, struct.error and others
        return None
    return Thumbnail(grey.width, grey.tobytes())


def crop(image: bytes, box: Box, others: Sequence[Box]) -> Crops:
    """Crop the frame around one face so that no other face in the crop is larger.

    Rekognition compares only the largest face of an image (SearchFacesByImage). Raise PictureError
    if the frame cannot be decoded, or shows nothing of the face.
    """
    frame = _decode(image)
    wide = _without(box.grown(1.0, 0.9, 1.0, 1.3), box, others)
    near = _without(box.grown(0.5, 0.5, 0.5, 0.5), box, others)
    scale = min(MAX_ENLARGEMENT, max(1.0, FACE_PX / (box.height * frame.height)))
    return Crops(*(to_jpeg(_cut(frame, part, scale)) for part in (wide, near)))


def _decode(image: bytes) -> "PillowImage":
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=("JPEG", "PNG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise PictureError("the image has too many pixels")
            return opened.convert("RGB")
    except PictureError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error and others
        raise PictureError("the image cannot be decoded") from error


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
    left, upper = round(part.left * frame.width), round(part.top * frame.height)
    right, lower = round(part.right * frame.width), round(part.bottom * frame.height)
    if right <= left or lower <= upper:
        raise PictureError("the face lies outside the image")
    cut = frame.crop((left, upper, right, lower))
    scale = max(scale, MIN_SIDE_PX / min(cut.size))
    if scale * max(cut.size) > MAX_SIDE_PX:
        raise PictureError("what the image shows of the face is too narrow")
    return cut.resize((round(cut.width * scale), round(cut.height * scale)))


def to_jpeg(image: "PillowImage") -> bytes:
    """Encode a Pillow image as JPEG."""
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()
