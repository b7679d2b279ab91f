"""Detects faces with OpenCV's cascade, which the wheel's extra `face` installs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
# The name of the tag with the faces; Kinesis Video Streams adds it to the metadata of the images.
TAG = "faces"
LONGEST_VALUE = 256  # Kinesis Video Streams limits, "Fragment metadata tag value length"
Box = tuple[int, int, int, int]


class Look(NamedTuple):
    """The faces in one frame: left, top, width, height in thousandths of the picture's."""

    at_ms: int
    boxes: Sequence[Box]


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
        """Return faces as (left, top, width, height), in thousandths of the picture's sides.

        It searches the whole picture, not only where something moves: a person who stands still
        moves the hands, not the face.
        """
        scale = min(1.0, LARGEST[0] / image.width, LARGEST[1] / image.height)
        width, height = round(image.width * scale), round(image.height * scale)
        luma = self._cv2.equalizeHist(grey_thumbnail(image, width, height))
        least = max(24, round(height * SMALLEST_FACE))
        found = self._cascade.detectMultiScale(luma, STEP, NEIGHBOURS, minSize=(least, least))
        across, down = 1000 / width, 1000 / height
        return [
            (round(x * across), round(y * down), round(w * across), round(h * down))
            for x, y, w, h in found
        ]


def face_tags(looks: Sequence[Look]) -> Mapping[str, str]:
    """Return the tag with the faces of a fragment's frames; of fewer frames if it is too long.

    The value is `1795363780380:317 394 197 263,600 423 195 263;1795363780780:`: for each frame its
    time in milliseconds since 1970, and its boxes. Images that show nobody else than the persons
    who are followed then need no DetectFaces (functions/whosthere/ingest/camera_faces.py).
    """
    text = ";".join(f"{look.at_ms}:{_boxes_text(look.boxes)}" for look in looks)
    if len(text) <= LONGEST_VALUE:
        return {TAG: text}
    return face_tags(looks[::2]) if len(looks) > 1 else {}


def _boxes_text(boxes: Sequence[Box]) -> str:
    return ",".join(" ".join(map(str, box)) for box in boxes)
