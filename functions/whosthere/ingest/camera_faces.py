"""Faces that the camera's own detector found, which come with an image as its metadata.

Kinesis Video Streams adds a fragment's tags to the metadata of its images (developer guide,
"Automated real-time image generation"). With `--tag face` the edge tags a fragment with the faces
of its frames (edge/tagging/faces.py). They are untrusted: what cannot be read is left out.
"""

import re
from collections.abc import Mapping
from operator import itemgetter

from whosthere.geometry import Box

TAG = "faces"
# A frame so far from the image says where its faces are: they walk a quarter of their size.
NEAR_MS = 500
PLACE, SIDE = r"(?:1000|\d{1,3})", r"(?:1000|[1-9]\d{0,2})"
BOX = f"{PLACE} {PLACE} {SIDE} {SIDE}"
LOOK = re.compile(rf"(\d{{13}}):((?:{BOX})(?:,{BOX})*)?", re.ASCII)


def camera_faces(metadata: Mapping[str, str], moment_ms: int) -> tuple[Box, ...] | None:
    """Return where the camera saw faces at about that time, or None if it does not say.

    `metadata` are those of an image.
    """
    looks = [LOOK.fullmatch(look) for look in metadata.get(TAG, "").split(";")]
    read = [(abs(int(look[1]) - moment_ms), look[2] or "") for look in looks if look]
    if len(read) < len(looks):
        return None
    apart_ms, boxes = min(read, key=itemgetter(0))
    return tuple(map(_box, boxes.split(",") if boxes else ())) if apart_ms <= NEAR_MS else None


def _box(text: str) -> Box:
    left, top, width, height = (int(side) / 1000 for side in text.split())
    return Box(left, top, width, height)
