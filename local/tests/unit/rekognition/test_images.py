"""The pictures of requests: opened upright, and never larger than their bounds."""

import io
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from local.rekognition.errors import RekognitionError
from local.rekognition.worker.images import LONGEST_SIDE, open_image


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


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, rows, *, bits=8, colour=2, interlaced=0):
    """A PNG of these rows, each with its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    data = zlib.compress(rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", data)
        + _chunk(b"IEND", b"")
    )


def png_that_declares(width, height):
    """A PNG of a few bytes that says it is huge."""
    return png(width, height, b"")


def jpeg_that_declares(width, height, picture):
    """A JPEG whose frame header was changed to say that it is huge."""
    at = picture.index(b"\xff\xc0") + 5
    return picture[:at] + struct.pack(">HH", height, width) + picture[at + 4 :]


BOMBS = [(60_000, 60_000), (10_001, 80), (80, 30_000)]


@pytest.mark.parametrize(("width", "height"), BOMBS)
def test_a_bomb_is_refused_before_it_is_decoded(corner, width, height):
    assert refusal(png_that_declares(width, height)) == "ImageTooLargeException"
    bomb = jpeg_that_declares(width, height, encoded(corner))
    assert refusal(bomb) == "ImageTooLargeException"


def test_what_must_be_decoded_whole_may_have_fewer_pixels(corner):
    progressive = encoded(corner, progressive=True)
    assert refusal(png_that_declares(10_000, 10_000)) == "ImageTooLargeException"
    at = progressive.index(b"\xff\xc2") + 5
    bomb = progressive[:at] + struct.pack(">HH", 10_000, 10_000) + progressive[at + 4 :]
    assert refusal(bomb) == "ImageTooLargeException"


def test_a_photo_of_a_hundred_megapixels_is_decoded_at_a_fraction_of_its_size():
    photo = encoded(Image.new("L", (10_000, 10_000), 77))
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert max(open_image(photo).shape) == LONGEST_SIDE
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 60_000


def test_thousands_of_scans_are_not_worked_through(corner):
    progressive = encoded(corner, progressive=True)
    last = progressive.rindex(b"\xff\xda")
    assert refusal(progressive[:-2] + progressive[last:-2] * 2000 + progressive[-2:]) == (
        "InvalidImageFormatException"
    )


def test_a_hundred_thousand_segments_are_not_even_opened(corner, monkeypatch):
    photo = encoded(corner)
    monkeypatch.setattr(Image, "open", None)
    assert refusal(photo[:2] + b"\xff\xe1\x00\x02" * 100_000 + photo[2:]) == (
        "InvalidImageFormatException"
    )


def test_chance_bytes_that_look_like_scans_are_none(corner):
    chance = b"\xff\xda" * 200
    film_behind = encoded(corner, progressive=True) + chance  # as phones put a film behind a photo
    assert open_image(film_behind)[20, 20].mean() > 200
    assert open_image(encoded(corner, "JPEG", icc_profile=chance))[20, 20].mean() > 200
    noted = PngInfo()
    noted.add(b"noTe", chance)
    assert open_image(encoded(corner, "PNG", pnginfo=noted))[20, 20].mean() > 200


def test_only_the_first_picture_of_several_is_opened(corner):
    black = Image.new("RGB", corner.size)
    several = {"save_all": True, "append_images": [black]}
    for kind in ("PNG", "MPO"):
        assert open_image(encoded(corner, kind, **several))[20, 20].mean() > 200


# The columns and rows of the seven passes of an interlaced picture of 88 x 88.
PASSES = ((11, 11), (11, 11), (22, 11), (22, 22), (44, 22), (44, 44), (88, 44))


def test_an_interlaced_png_is_opened():
    rows = b"".join((b"\0" + bytes([200]) * columns) * rows for columns, rows in PASSES)
    assert (open_image(png(88, 88, rows, colour=0, interlaced=1)) == 200).all()


def test_sixteen_bits_are_scaled_to_eight():
    row = b"\0" + struct.pack(">88H", *(0x4000 for _ in range(88)))
    assert (open_image(png(88, 88, row * 88, bits=16, colour=0)) == 0x40).all()
    row = b"\0" + struct.pack(">264H", *(0x4000 for _ in range(264)))
    assert (open_image(png(88, 88, row * 88, bits=16)) == 0x40).all()


def test_what_is_transparent_is_not_seen(corner):
    hidden = corner.convert("RGBA")
    hidden.putalpha(0)
    for mode in ("RGBA", "LA"):
        assert (open_image(encoded(hidden.convert(mode), "PNG")) == 255).all()


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_any_kind_of_jpeg_becomes_rgb(corner, mode):
    pixels = open_image(encoded(corner.convert(mode)))
    assert pixels.shape == (120, 200, 3)
    assert pixels[20, 20].mean() > 200
    assert pixels[100, 180].mean() < 50


def test_a_png_is_not_turned(corner):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(encoded(corner, "PNG", exif=exif)).shape == (120, 200, 3)


def test_damaged_exif_counts_as_none(corner):
    damaged = encoded(corner, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(60_000))
    assert open_image(damaged).shape == (120, 200, 3)
