"""A picture that says where motion means nothing: black there, white elsewhere."""

from pathlib import Path

import av
from av.error import FFmpegError

from ..errors import SourceError
from ..media.thumbnail import small
from .motion import COLUMNS, ROWS, Cells

DARK = 128


def read_mask(path: Path) -> Cells:
    """Read the cells that count, from a picture of any size and format."""
    try:
        with av.open(str(path)) as container:
            image = next(container.decode(video=0))
    except (FFmpegError, OSError, StopIteration, IndexError) as exc:
        raise SourceError(f"--mask {path} is no picture that can be read.") from exc
    counted: Cells = small(image, COLUMNS, ROWS) >= DARK
    if not counted.any():
        raise SourceError(f"--mask {path} is black all over: no motion would ever count.")
    return counted
