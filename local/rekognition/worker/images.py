"""Open the pictures of requests: JPEG or PNG, upright, within limits (worker process).

A picture's declared size is checked before it is decoded. A large JPEG is decoded at a fraction of
its size; formats that must be decoded at full size have a lower limit of pixels.
"""

import io
import re
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from local.rekognition.errors import invalid_format, invalid_parameter, too_large

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG")
SHORTEST_SIDE = 80  # both sides; Rekognition developer guide, "Guidelines and quotas"
LONGEST_DECLARED = 10_000  # what the error message of Rekognition says
MAX_PIXELS_WHOLE = 50_000_000  # ours: four bytes each while they are decoded
# Each scan of a progressive JPEG goes over the whole picture: cameras write about ten.
MAX_SCANS = 100
MAX_SEGMENTS = 10_000  # of all kinds, which Pillow walks through; real files have some dozens
JPEG = b"\xff\xd8"
SCAN, END = 0xDA, 0xD9  # markers of a JPEG
# A marker with a segment: zero or a restart (0xD0 to 0xD7) may follow 0xFF in coded data, and
# 0x01 stands alone, too.
MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
# Faces of 40 pixels in a picture of 1920 x 1080 are the smallest that count, and
# they grow with the picture: more pixels than these find nothing more.
LONGEST_SIDE = 1920
WHITE = (255, 255, 255, 255)
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# What Pillow raises on damaged files: the second half for want of a check.
DAMAGED = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError,
    TypeError, LookupError, AttributeError, ArithmeticError, struct.error,
)  # fmt: skip


def open_image(data: bytes) -> Pixels:
    """Decode a picture to upright RGB; RekognitionError if it is too large, small or broken."""
    if data.startswith(JPEG) and not _has_few_scans(data):
        raise invalid_format()
    with warnings.catch_warnings():
        # The size is checked below; Pillow need not warn of it as well.
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image)
                return _decoded(image)
        except Image.DecompressionBombError as exc:
            raise too_large() from exc
        except DAMAGED as exc:
            raise invalid_format() from exc


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > LONGEST_DECLARED:
        raise too_large(
            f"Input image dimensions {width} x {height} exceed maximum dimension size "
            f"of {LONGEST_DECLARED} pixels"
        )
    if width * height > MAX_PIXELS_WHOLE and _is_decoded_whole(image):
        raise too_large()
    if min(width, height) < SHORTEST_SIDE:
        raise invalid_parameter("Image dimensions are too small")


def _has_few_scans(data: bytes) -> bool:
    """Return whether a JPEG has few enough scans to decode all of them."""
    at, scans = 2, 0
    for _ in range(MAX_SEGMENTS):
        marker = MARKER.search(data, at)
        if marker is None or marker[1][0] == END:
            return scans <= MAX_SCANS
        scans += marker[1][0] == SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return False


def _is_decoded_whole(image: Image.Image) -> bool:
    return not isinstance(image, JpegImageFile) or "progressive" in image.info


def _decoded(image: Image.Image) -> Pixels:
    orientation = 1
    if isinstance(image, JpegImageFile):
        # Only these are turned; Rekognition doesn't look for EXIF in a PNG.
        orientation = _orientation(image)
        # Let the decoder throw away what would be scaled away: it saves memory.
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    small = _eight_bits(image)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    if orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[orientation])
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, WHITE), small)
    return np.asarray(small.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; damaged EXIF counts as 1, upright."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGED:
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture in a mode of 8 bits; Pillow's own conversion clips 16 bits at 255."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("RGB", "RGBA", "L", "CMYK"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
