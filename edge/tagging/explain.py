"""Pictures that show what counted as motion (--explain), to help choose settings."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

import av
import numpy as np
from numpy.typing import NDArray

from ..errors import SourceError
from ..media.jpeg import encode_jpeg
from ..media.thumbnail import grey_thumbnail
from .motion import COLUMNS, ROWS, Cells, MotionResult

# The pictures show people, so few are kept, readable by this user only.
KEPT, FOLDER_MODE, FILE_MODE = 100, 0o700, 0o600
# The shortest time between two pictures, with motion and without.
MOVING_S, STILL_S = 5.0, 300.0
WIDTH, HEIGHT = 640, 360
WHITE, EDGE = 235, 2
# The owner's other pictures in the same folder must stay.
OWN = "[0-9]*T[0-9]*Z-*-percent*.jpg"


class ExplainWriter:
    """Writes annotated pictures to a folder and keeps the newest."""

    def __init__(self, folder: Path, counted: Cells | None) -> None:
        """Create the folder; raises SourceError if it cannot be written to."""
        self._folder = folder
        self._counted = counted
        self._written_ms = 0
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as exc:
            raise SourceError(
                f"--explain {folder} cannot be written to: {exc.strerror}. A service may write "
                "below /var/lib/whosthere-edge/CAMERA."
            ) from exc

    def write_if_due(
        self, image: av.VideoFrame, seen: MotionResult, faces: int | None, at_ms: int
    ) -> None:
        """Write the picture, unless one was written a short time ago."""
        pause_s = MOVING_S if seen.is_motion else STILL_S
        if at_ms - self._written_ms < pause_s * 1000:
            return
        self._written_ms = at_ms
        luma = grey_thumbnail(image, WIDTH, HEIGHT)
        self._darken_mask(luma)
        if seen.changed.any():
            _draw_frame(luma, seen.changed)
        with contextlib.suppress(OSError):  # a full disk must not end the video
            self._write(
                self._folder / _name(seen, faces, at_ms),
                encode_jpeg(av.VideoFrame.from_ndarray(luma, format="gray8")),
            )

    def _write(self, path: Path, picture: bytes) -> None:
        path.touch(mode=FILE_MODE)
        path.write_bytes(picture)
        for old in sorted(self._folder.glob(OWN))[:-KEPT]:
            old.unlink(missing_ok=True)

    def _darken_mask(self, luma: NDArray[np.uint8]) -> None:
        if self._counted is not None:
            luma[~_enlarge(self._counted)] //= 4


def _name(seen: MotionResult, faces: int | None, at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
    what = "motion" if seen.is_motion else "still"
    with_faces = "" if faces is None else f"-{faces}-faces"
    return f"{moment}Z-{what}-{seen.share * 100:.2f}-percent{with_faces}.jpg"


def _draw_frame(luma: NDArray[np.uint8], changed: Cells) -> None:
    """Draw a rectangle around the cells that changed."""
    large = _enlarge(changed)
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    area = luma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    for edge in (area[:EDGE], area[-EDGE:], area[:, :EDGE], area[:, -EDGE:]):
        edge[:] = WHITE


def _enlarge(cells: Cells) -> Cells:
    large: Cells = np.kron(cells, np.ones((HEIGHT // ROWS, WIDTH // COLUMNS), bool))
    return large
