"""Small grey copies of frames, for the detectors."""

import av
import numpy as np
from numpy.typing import NDArray


def grey_thumbnail(image: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Return a frame's brightness in that size; each pixel is the mean of its area."""
    grey = image.reformat(width, height, "gray8", interpolation="AREA")
    return np.array(grey.to_ndarray(), np.uint8)
