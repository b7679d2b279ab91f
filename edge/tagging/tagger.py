"""Decides for each fragment whether it is tagged for image generation."""

from collections.abc import Mapping

import av

from ..config import Config
from ..media.key_frames import KeyFrameDecoder
from ..media.mkv import EncodedFrame, VideoTrack
from ..media.thumbnail import grey_thumbnail
from .explain import ExplainWriter
from .faces import FaceDetector, Look, face_tags
from .mask import read_mask
from .motion import COLUMNS, ROWS, MotionDetector

# How often decoded pictures are inspected.
INSPECT_MS = 250
# How long after motion fragments are tagged: a person may stand still for a moment.
AFTER_MS = 4000
# Face detection costs more than motion detection, so it runs less often.
FACE_INSPECT_MS = 400
LONG_AGO = -(10**12)


class Tagger:
    """Inspects frames as they pass, and decides at the end of each fragment.

    With `motion`, fragments are tagged from the one in which motion begins until a few seconds
    after it. Motion is known only at a fragment's end, so the fragments before are already sent.
    With `face`, only fragments in which a face was found while something moved are tagged, and
    the tag says where.
    """

    def __init__(self, config: Config) -> None:
        """Load what the configured tag needs; raises SourceError if that is not possible."""
        self._tag = config.tag
        self._is_active = config.tag in ("motion", "face")
        if not self._is_active:
            return
        counted = read_mask(config.mask) if config.mask else None
        self._motion = MotionDetector(config.sensitivity, counted)
        self._faces = FaceDetector() if config.tag == "face" else None
        self._explain = ExplainWriter(config.explain, counted) if config.explain else None
        self._key_frame_decoder = KeyFrameDecoder()
        self._inspected_ms = self._moved_ms = self._checked_ms = self._ended_ms = LONG_AGO
        self._looks: list[Look] = []

    def on_picture(self, image: av.VideoFrame, at_ms: int) -> None:
        """Inspect a frame that is about to be encoded."""
        if self._is_active and at_ms - self._inspected_ms >= INSPECT_MS:
            self._inspect(image, at_ms)

    def on_packet(self, frame: EncodedFrame, track: VideoTrack, *, is_due: bool) -> None:
        """Inspect a frame that is passed through; `is_due` if a fragment may begin with it.

        It decodes only those: to decode the whole stream would cost what passing it through saves.
        """
        if self._is_active and is_due and frame.is_key:
            image = self._key_frame_decoder.decode(frame.data, track)
            if image is not None:
                self._inspect(image, frame.at_ms)

    def tags(self, start_ms: int, last_ms: int) -> Mapping[str, str] | None:
        """Return what is said of the fragment from `start_ms` to `last_ms`, which ends now.

        Return None if it is not tagged for image generation.
        """
        if self._tag == "face":
            self._ended_ms = last_ms
            self._looks = [look for look in self._looks if look.at_ms >= start_ms]
            # What is passed through is inspected where a fragment begins: the next one's first
            # frame says where the faces are at the end of this one.
            is_tagged = any(look.boxes for look in self._looks if look.at_ms <= last_ms)
            return face_tags(self._looks) if is_tagged else None
        if self._tag == "motion":
            return {} if self._moved_ms >= start_ms - AFTER_MS else None
        return {} if self._tag == "always" else None

    def _inspect(self, image: av.VideoFrame, at_ms: int) -> None:
        self._inspected_ms = at_ms
        seen = self._motion.detect(grey_thumbnail(image, COLUMNS, ROWS), at_ms / 1000)
        if seen.is_motion:
            self._moved_ms = at_ms
        faces = self._look_for_faces(image, at_ms)
        if self._explain is not None:
            self._explain.write_if_due(image, seen, faces, at_ms)

    def _look_for_faces(self, image: av.VideoFrame, at_ms: int) -> int | None:
        """Return the number of faces; None if it was not worth looking for them."""
        is_quiet = at_ms - self._moved_ms > AFTER_MS
        # In each fragment the first frame that is inspected counts.
        is_early = self._checked_ms > max(self._ended_ms, at_ms - FACE_INSPECT_MS)
        if self._faces is None or is_quiet or is_early:
            return None
        self._checked_ms = at_ms
        self._looks.append(Look(at_ms, self._faces.detect(image)))
        return len(self._looks[-1].boxes)
