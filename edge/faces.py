"""A cheap check whether there may be a face: OpenCV's cascade, an extra of the wheel."""

from typing import Any

import av
import numpy as np

from .errors import SourceError
from .luma import small
from .motion import COLUMNS, ROWS, Cells

NEEDED = (
    "--tag face needs OpenCV 4, whose wheels bring what finds faces: "
    "pip install 'opencv-python-headless>=4.13,<5'"
)
CASCADE = "haarcascade_frontalface_default.xml"
# Searched in at most this size; a face smaller than a twelfth of its height is too small
# to be recognised.
LARGEST = (640, 360)
SMALLEST_FACE = 1 / 12
STEP, NEIGHBOURS = 1.2, 4
# A moving head may be at the edge of what changed.
MARGIN_CELLS = 12
Box = tuple[int, int, int, int]


class FaceCheck:
    """Finds faces seen from the front, near where something changed."""

    def __init__(self) -> None:
        try:
            # An extra that only --tag face needs.
            import cv2
        except ImportError:
            raise SourceError(NEEDED) from None
        if not hasattr(cv2, "CascadeClassifier"):
            raise SourceError(f"{NEEDED} (here is OpenCV {cv2.__version__}, which brings none)")
        cv2.setNumThreads(1)
        self._cv2: Any = cv2
        self._cascade = self._cv2.CascadeClassifier(self._cv2.data.haarcascades + CASCADE)

    def find(self, image: av.VideoFrame, changed: Cells | None = None) -> list[Box]:
        """Give faces as parts of a picture `LARGEST` or smaller: left, top, width, height."""
        scale = min(1.0, LARGEST[0] / image.width, LARGEST[1] / image.height)
        width, height = round(image.width * scale), round(image.height * scale)
        luma = small(image, width, height)
        left, top, right, bottom = _area(changed, width, height)
        part = self._cv2.equalizeHist(np.ascontiguousarray(luma[top:bottom, left:right]))
        least = max(24, round(height * SMALLEST_FACE))
        found = self._cascade.detectMultiScale(part, STEP, NEIGHBOURS, minSize=(least, least))
        return [(int(x) + left, int(y) + top, int(w), int(h)) for x, y, w, h in found]


def _area(changed: Cells | None, width: int, height: int) -> Box:
    """Bound the changed cells, with a margin, in pixels: left, top, right, bottom."""
    if changed is None or not changed.any():
        return 0, 0, width, height
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    left, right = max(0, columns[0] - MARGIN_CELLS), min(COLUMNS, columns[-1] + MARGIN_CELLS + 1)
    top, bottom = max(0, rows[0] - MARGIN_CELLS), min(ROWS, rows[-1] + MARGIN_CELLS + 1)
    across, down = width / COLUMNS, height / ROWS
    return int(left * across), int(top * down), round(right * across), round(bottom * down)
