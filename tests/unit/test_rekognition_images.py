"""The pictures of requests: opened upright, and never larger than their bounds."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from local.rekognition.errors import RekognitionError
from local.rekognition.images import LONGEST_SIDE, open_image


def encoded(image, kind="JPEG", **options):
    """A picture as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def corner():
    """A black picture, wider than high, with a white corner at the upper left."""
    pixels = np.zeros((120, 200, 3), np.uint8)
    pixels[:40, :40] = 255
    return Image.fromarray(pixels)


def refusal(data):
    """The name of the error that a file is refused with."""
    with pytest.raises(RekognitionError) as caught:
        open_image(data)
    return caught.value.code


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_both_formats_are_opened(corner, kind):
    assert open_image(encoded(corner, kind)).shape == (120, 200, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_its_exif_says(corner, orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = corner.transpose(undo[orientation]) if orientation in undo else corner
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = open_image(encoded(stored, exif=exif))
    assert pixels.shape == (120, 200, 3)
    assert pixels[20, 20].mean() > 200
    assert pixels[100, 180].mean() < 50


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_any_kind_of_png_becomes_rgb(corner, mode):
    assert open_image(encoded(corner.convert(mode), "PNG")).shape == (120, 200, 3)


def test_a_large_photo_is_scaled_down():
    photo = encoded(Image.new("RGB", (4000, 3000)))
    assert max(open_image(photo).shape) == LONGEST_SIDE


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP"])
def test_other_formats_are_refused_by_name(corner, kind):
    assert refusal(encoded(corner, kind)) == "InvalidImageFormatException"


@pytest.mark.parametrize("length", [0, 4, 100, 900])
def test_a_truncated_file_is_an_invalid_format(corner, length):
    assert refusal(encoded(corner)[:length]) == "InvalidImageFormatException"


def test_a_side_below_80_pixels_is_refused(corner):
    assert refusal(encoded(corner.resize((200, 79)))) == "InvalidParameterException"


def png_that_declares(width, height):
    """A PNG of a few bytes that says it is huge."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_that_declares(width, height, picture):
    """A JPEG whose frame header was changed to say that it is huge."""
    at = picture.index(b"\xff\xc0") + 5
    return picture[:at] + struct.pack(">HH", height, width) + picture[at + 4 :]


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 10_000), (30_000, 3_000)])
def test_a_bomb_is_refused_before_it_is_decoded(corner, width, height):
    assert refusal(png_that_declares(width, height)) == "ImageTooLargeException"
    bomb = jpeg_that_declares(width, height, encoded(corner))
    assert refusal(bomb) == "ImageTooLargeException"
