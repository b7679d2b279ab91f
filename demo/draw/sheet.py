"""Draw one row of moments of the film, for a page that cannot show a film."""

from pathlib import Path

import cv2
import numpy as np

from demo.draw.curves import Array
from demo.draw.film import draw_frame
from demo.draw.script import FPS

MOMENTS = (4.0, 18.2, 24.4, 33.0, 38.2)
WIDTH, HEIGHT, SPACE = 320, 240, 6
QUALITY = 85


def write_sheet(path: Path) -> None:
    """Write the row as a JPEG file."""
    gap = np.full((HEIGHT, SPACE, 3), 255, np.uint8)
    row: list[Array] = []
    for moment in MOMENTS:
        frame = draw_frame(round(moment * FPS))
        row += [cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), gap]
    bgr = np.hstack(row[:-1])[:, :, ::-1]
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    path.write_bytes(jpeg.tobytes())
