"""Pictures that are damaged: cut off, with other bytes in between, or none at all."""

import io

from hypothesis import strategies
from PIL import Image

from tests.support.records.alert_harness import LEFT, RIGHT
from tests.support.records.drawn_faces import BLUE, RED, draw

ORIENTATION = 0x0112


def encoded(image, format, **options):
    """An image as a file's content."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def turned():
    """The EXIF data of a photo that lies on its side."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


SMALL = Image.new("RGB", (120, 160), (90, 90, 90))
PICTURES = [
    draw((LEFT, RED), (RIGHT, BLUE), size=(160, 120)),
    encoded(SMALL, "JPEG", exif=turned()),
    encoded(SMALL, "PNG", exif=turned()),
    encoded(SMALL.convert("P"), "PNG"),
    encoded(SMALL.convert("I;16"), "PNG"),
    encoded(SMALL.convert("CMYK"), "JPEG"),
    encoded(SMALL, "JPEG", progressive=True),
    encoded(Image.new("RGB", (79, 79)), "JPEG"),
    encoded(Image.new("1", (1, 1)), "PNG"),
    encoded(Image.new("1", (65_500, 1)), "JPEG"),
    encoded(Image.new("1", (13_500, 13_500)), "PNG"),
    encoded(SMALL, "GIF"),
    encoded(SMALL, "WEBP"),
    b"",
]


@strategies.composite
def damaged(draw_one, contents):
    """One of these contents with something wrong, or as it is."""
    content = bytearray(draw_one(strategies.sampled_from(contents)))
    if content and draw_one(strategies.booleans()):
        del content[draw_one(strategies.integers(0, len(content))) :]
    for _ in range(draw_one(strategies.integers(0, 4))):
        if not content:
            break
        # The head of a file says the most.
        ends = strategies.sampled_from([min(64, len(content)), len(content)])
        at = draw_one(strategies.integers(0, draw_one(ends) - 1))
        content[at : at + 4] = draw_one(strategies.binary(max_size=6))
    return bytes(content)


def odd_pictures():
    """What may come as a picture."""
    return damaged(PICTURES) | strategies.binary(max_size=200)
