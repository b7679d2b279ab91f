"""A frame's number as a barcode in the picture, which survives encoding.

The barcode is the bottom of the picture: 32 black or white cells side by side, for 24 bits of the
number and 8 of a checksum, most significant bit first.
"""

import av
import numpy as np
from numpy.typing import NDArray

CELLS, CHECK_BITS = 32, 8
HIGHEST = 1 << (CELLS - CHECK_BITS)
# Luma levels of black and white, and the threshold between them.
BLACK, WHITE, MIDDLE = 16, 235, 126
# The barcode's share of the picture's height.
HEIGHT = 1 / 12


def height(picture_height: int) -> int:
    """Return how many rows of a picture the barcode takes."""
    return max(4, round(picture_height * HEIGHT))


def draw_row(number: int, width: int) -> NDArray[np.uint8]:
    """Return one row of the barcode, for a picture `width` pixels wide."""
    word = _word(number % HIGHEST)
    cells = np.arange(width) * CELLS // width
    bits = word >> (CELLS - 1 - cells) & 1
    return np.where(bits == 1, WHITE, BLACK).astype(np.uint8)


def read_number(image: av.VideoFrame) -> int | None:
    """Return the number in a picture of any size or format; None if there is no barcode."""
    luma = image.reformat(format="gray8").to_ndarray()
    middle = luma[image.height - 1 - height(image.height) // 2].astype(int)
    centres = (2 * np.arange(CELLS) + 1) * image.width // (2 * CELLS)
    bits = middle[centres] > MIDDLE
    word = int("".join("1" if bit else "0" for bit in bits), 2)
    number = word >> CHECK_BITS
    return number if _word(number) == word else None


def _word(number: int) -> int:
    # The constant makes an all black and an all white picture invalid.
    check = (0xA5 + sum(number.to_bytes(3, "big")) * 31) & 0xFF
    return number << CHECK_BITS | check
