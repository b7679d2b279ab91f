"""The mask (--mask): a picture that is black where motion must not count."""

from pathlib import Path

import av
from av.error import FFmpegError

from ..errors import SourceError
from ..media.thumbnail import grey_thumbnail
from .motion import COLUMNS, ROWS, Cells

DARK = 128


def read_mask(path: Path) -> Cells:
    """Return the cells that count, from a picture of any size and format."""
    try:
        with av.open(str(path)) as container:
            image = next(container.decode(video=0))
    except (FFmpegError, OSError, StopIteration, IndexError) as exc:
        raise SourceError(f"--mask {path} is no picture that can be read.") from exc
    counted: Cells = grey_thumbnail(image, COLUMNS, ROWS) >= DARK
    if not counted.any():
        raise SourceError(f"--mask {path} is black all over: no motion would ever count.")
    return counted
