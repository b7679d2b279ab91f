"""A cheap check whether there may be a face: OpenCV's cascade, an extra of the wheel."""

from typing import Any

import av

from ..errors import SourceError
from ..media.thumbnail import small

NEEDED = (
    "--tag face needs OpenCV 4, whose wheels bring what finds faces: "
    "pip install 'whosthere-edge[face]', that is 'opencv-python-headless>=4.13,<5'"
)
CASCADE = "haarcascade_frontalface_default.xml"
# Searched in at most this size; a face smaller than a twelfth of its height is too small
# to be recognised.
LARGEST = (640, 360)
SMALLEST_FACE = 1 / 12
STEP, NEIGHBOURS = 1.2, 4
Box = tuple[int, int, int, int]


class FaceCheck:
    """Finds faces that are seen from the front."""

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

    def find(self, image: av.VideoFrame) -> list[Box]:
        """Give faces in a picture scaled to `LARGEST` or less: left, top, width, height.

        All of it is searched, not just where something moves: that would miss whoever
        stands still, whose hands move and whose face does not.
        """
        scale = min(1.0, LARGEST[0] / image.width, LARGEST[1] / image.height)
        width, height = round(image.width * scale), round(image.height * scale)
        luma = self._cv2.equalizeHist(small(image, width, height))
        least = max(24, round(height * SMALLEST_FACE))
        found = self._cascade.detectMultiScale(luma, STEP, NEIGHBOURS, minSize=(least, least))
        return [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
