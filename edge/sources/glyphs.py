"""Digits and a clock's punctuation as bitmaps, so that no font is needed."""

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 5, 3
# A glyph is five rows of three dots, from the top; the left dot is the highest bit.
DOTS = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7),
    "6": (7, 4, 7, 5, 7),
    "7": (7, 1, 1, 1, 1),
    "8": (7, 5, 7, 5, 7),
    "9": (7, 5, 7, 1, 7),
    ":": (0, 2, 0, 2, 0),
    "-": (0, 0, 7, 0, 0),
    ".": (0, 0, 0, 0, 2),
    " ": (0, 0, 0, 0, 0),
}


def draw_text(text: str, dot: int) -> NDArray[np.bool_]:
    """Return a line of text as a mask; a dot of a glyph is `dot` pixels wide and high."""
    glyphs = [_glyph(sign) for sign in text]
    return np.kron(np.hstack(glyphs), np.ones((dot, dot), dtype=bool)).astype(bool)


def _glyph(sign: str) -> NDArray[np.bool_]:
    rows = [[bool(row >> (COLUMNS - 1 - x) & 1) for x in range(COLUMNS)] for row in DOTS[sign]]
    # One empty column after each glyph.
    return np.pad(np.array(rows), ((0, 0), (0, 1)))
