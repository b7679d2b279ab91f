"""Detects faces with OpenCV's cascade, which the wheel's extra `face` installs."""

from typing import Any

import av

from ..errors import SourceError
from ..media.thumbnail import grey_thumbnail

NEEDED = (
    "--tag face needs OpenCV 4, whose wheels bring what finds faces: "
    "pip install 'whosthere-edge[face]', that is 'opencv-python-headless>=4.13,<5'"
)
CASCADE = "haarcascade_frontalface_default.xml"
# The largest size that is searched. A face below a twelfth of the height cannot be recognized.
LARGEST = (640, 360)
SMALLEST_FACE = 1 / 12
STEP, NEIGHBOURS = 1.2, 4
Box = tuple[int, int, int, int]


class FaceDetector:
    """Detects frontal faces."""

    def __init__(self) -> None:
        """Load OpenCV and its cascade; raises SourceError if it is not installed."""
        try:
            # OpenCV is an extra that only --tag face needs.
            import cv2
        except ImportError:
            raise SourceError(NEEDED) from None
        if not hasattr(cv2, "CascadeClassifier"):
            raise SourceError(f"{NEEDED} (here is OpenCV {cv2.__version__}, which brings none)")
        cv2.setNumThreads(1)
        self._cv2: Any = cv2
        self._cascade = self._cv2.CascadeClassifier(self._cv2.data.haarcascades + CASCADE)

    def detect(self, image: av.VideoFrame) -> list[Box]:
        """Return faces as (left, top, width, height), in a picture scaled to `LARGEST` or less.

        It searches the whole picture, not only where something moves: a person who stands still
        moves the hands, not the face.
        """
        scale = min(1.0, LARGEST[0] / image.width, LARGEST[1] / image.height)
        width, height = round(image.width * scale), round(image.height * scale)
        luma = self._cv2.equalizeHist(grey_thumbnail(image, width, height))
        least = max(24, round(height * SMALLEST_FACE))
        found = self._cascade.detectMultiScale(luma, STEP, NEIGHBOURS, minSize=(least, least))
        return [(int(x), int(y), int(w), int(h)) for x, y, w, h in found]
