"""How bright a picture is, in another size."""

import av
import numpy as np
from numpy.typing import NDArray


def small(image: av.VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    """Scale a picture's brightness; each pixel is the mean of what it stands for."""
    grey = image.reformat(width, height, "gray8", interpolation="AREA")
    return np.array(grey.to_ndarray(), np.uint8)
