"""Decides which fragments are marked for image generation."""

import av

from ..config import Config
from ..fragments import EncodedFrame
from ..media.key_frames import KeyFrames
from ..media.mkv import Track
from ..media.thumbnail import small
from .explain import Explain
from .faces import FaceCheck
from .mask import read_mask
from .motion import COLUMNS, ROWS, Motion

# How often pictures that are there anyway are compared.
LOOK_MS = 250
# Somebody who stands still for a moment is still there.
AFTER_MS = 4000
# Faces are looked for less often than motion: that costs more.
FACE_LOOK_MS = 400
LONG_AGO = -(10**12)


class Tagger:
    """Looks at what goes by, and decides at the end of each fragment.

    A fragment is marked from the one in which motion begins to a few seconds after it:
    whether there was any is known at its end, so those before are gone by then. With
    `face`, only those in which a face was found while something moved.
    """

    def __init__(self, config: Config) -> None:
        self._tag = config.tag
        self._looks = config.tag in ("motion", "face")
        if not self._looks:
            return
        counted = read_mask(config.mask) if config.mask else None
        self._motion = Motion(config.sensitivity, counted)
        self._check = FaceCheck() if config.tag == "face" else None
        self._explain = Explain(config.explain, counted) if config.explain else None
        self._keys = KeyFrames()
        self._looked_ms = self._moved_ms = self._checked_ms = self._ended_ms = LONG_AGO
        self._faces_ms: list[int] = []

    def look(self, image: av.VideoFrame, at_ms: int) -> None:
        """Look at a picture that is about to be encoded."""
        if self._looks and at_ms - self._looked_ms >= LOOK_MS:
            self._look(image, at_ms)

    def pass_by(self, frame: EncodedFrame, track: Track, *, is_due: bool) -> None:
        """Look at a frame that is passed on as it is; `is_due` if a fragment may begin with it.

        Only those are decoded: a whole stream would cost what passing it on saves.
        """
        if self._looks and is_due and frame.is_key:
            image = self._keys.decode(frame.data, track)
            if image is not None:
                # The fragment under way ends here: whatever it has, this one has not.
                self._ended_ms = frame.at_ms - 1
                self._look(image, frame.at_ms)

    def is_tagged(self, begun_ms: int, last_ms: int) -> bool:
        """Decide on the fragment that ends now, whose first and last frame were then."""
        if self._tag == "motion":
            return self._moved_ms >= begun_ms - AFTER_MS
        if self._tag == "face":
            self._ended_ms = last_ms
            self._faces_ms = [at_ms for at_ms in self._faces_ms if at_ms >= begun_ms]
            return any(at_ms <= last_ms for at_ms in self._faces_ms)
        return self._tag == "always"

    def _look(self, image: av.VideoFrame, at_ms: int) -> None:
        self._looked_ms = at_ms
        seen = self._motion.look(small(image, COLUMNS, ROWS), at_ms / 1000)
        if seen.is_motion:
            self._moved_ms = at_ms
        faces = self._count_faces(image, at_ms)
        if self._explain is not None:
            self._explain.look(image, seen, faces, at_ms)

    def _count_faces(self, image: av.VideoFrame, at_ms: int) -> int | None:
        """Look for faces where that can still decide something; None if it was not done."""
        is_quiet = at_ms - self._moved_ms > AFTER_MS
        is_early = at_ms - self._checked_ms < FACE_LOOK_MS
        is_decided = bool(self._faces_ms) and self._faces_ms[-1] > self._ended_ms
        if self._check is None or is_quiet or is_early or is_decided:
            return None
        self._checked_ms = at_ms
        found = len(self._check.find(image))
        if found:
            self._faces_ms.append(at_ms)
        return found
