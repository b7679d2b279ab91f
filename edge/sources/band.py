"""A frame's number as a band of black and white cells that survives encoding.

The band is the bottom of the picture: 32 cells side by side, 24 bits of the number
and 8 of a checksum, the highest first.
"""

import av
import numpy as np
from numpy.typing import NDArray

CELLS, CHECK_BITS = 32, 8
HIGHEST = 1 << (CELLS - CHECK_BITS)
# Video levels of black, white, and what lies between.
BLACK, WHITE, MIDDLE = 16, 235, 126
# The part of the picture's height that is the band.
HEIGHT = 1 / 12


def height(picture_height: int) -> int:
    """Say how many rows of a picture are its band."""
    return max(4, round(picture_height * HEIGHT))


def row(number: int, width: int) -> NDArray[np.uint8]:
    """Draw one row of the band of a picture `width` pixels wide."""
    word = _word(number % HIGHEST)
    cells = np.arange(width) * CELLS // width
    bits = word >> (CELLS - 1 - cells) & 1
    return np.where(bits == 1, WHITE, BLACK).astype(np.uint8)


def number_of(image: av.VideoFrame) -> int | None:
    """Read the number of a picture of any size or format; None where no band is."""
    luma = image.reformat(format="gray8").to_ndarray()
    middle = luma[image.height - 1 - height(image.height) // 2].astype(int)
    centres = (2 * np.arange(CELLS) + 1) * image.width // (2 * CELLS)
    bits = middle[centres] > MIDDLE
    word = int("".join("1" if bit else "0" for bit in bits), 2)
    number = word >> CHECK_BITS
    return number if _word(number) == word else None


def _word(number: int) -> int:
    # The constant keeps an all black and an all white picture from passing.
    check = (0xA5 + sum(number.to_bytes(3, "big")) * 31) & 0xFF
    return number << CHECK_BITS | check
