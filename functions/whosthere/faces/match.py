"""Who one face of a frame shows, when sightings confirm somebody, and the quality gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whosthere.geometry import Box
from whosthere.ingest.record import AnalysedFrame, Face
from whosthere.settings import Quality, Settings

# A face without a match belongs to somebody who was seen at its place within this time: the
# same face, turned away.
ASSOCIATION_WINDOW_MS = 2000
# Of more whom a face resembles alike the likeliest are named: a message has 256 KB (SNS, Publish),
# several times each name, and a row 400 KB (DynamoDB, Quotas).
MOST_ALIKE = 4
# What a stranger's face is that fails a check of the quality gate.
FAILED_CHECKS = {
    "confidence": "hardly a face",
    "height": "too small",
    "sharpness": "too blurred",
    "brightness": "too dark",
    "yaw": "turned away",
}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face of a frame and who it shows, the likeliest first; empty if nobody is known.

    `resembles` are the persons that an unsure face resembles, too little to count as theirs: the
    likeliest and those within the margin of it. An unsure face makes no stranger.
    """

    frame: AnalysedFrame
    face: Face
    who: tuple[str, ...] = ()
    similarity: float = 0.0
    resembles: tuple[str, ...] = ()

    @property
    def other_boxes(self) -> tuple[Box, ...]:
        """Return the boxes of the frame's other faces, the nearest first."""
        others = [face.box for face in self.frame.faces if face != self.face]
        return tuple(sorted(others, key=self._apart))

    def _apart(self, box: Box) -> float:
        (x1, y1), (x2, y2) = self.face.box.middle, box.middle
        return float((x2 - x1) ** 2 + (y2 - y1) ** 2)


def classify_face(frame: AnalysedFrame, face: Face, settings: Settings) -> Sighting:
    """Return who a face shows: one person, several too close to tell apart, unsure, or nobody."""
    if not face.matches:
        return Sighting(frame, face)
    best: dict[str, float] = {}
    for match in face.matches:  # each photo of a person may match
        known = best.get(match.person_id, 0.0)
        best[match.person_id] = max(known, match.similarity)
    top = max(best.values())
    is_sure, alike = top >= settings.match_threshold, tuple(best)
    if len(best) > 1:
        floor = top - settings.margin
        floor = max(settings.match_threshold, floor) if is_sure else floor
        ranked = sorted(best.items(), key=lambda found: (-found[1], found[0]))
        alike = tuple([who for who, similarity in ranked if similarity >= floor][:MOST_ALIKE])
    if is_sure:
        return Sighting(frame, face, alike, top)
    return Sighting(frame, face, (), top, resembles=alike)


def confirmed_at(times: Sequence[int], settings: Settings) -> int | None:
    """Return the capture time of the sighting that confirms: so many within the window; or None."""
    more = settings.confirm_sightings - 1
    window_ms = settings.confirm_window_ms
    for start, end in zip(times, times[more:], strict=False):
        if end - start <= window_ms:
            return end
    return None


def failed_checks(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many faces the quality gate did not keep, by what was wrong, most often first.

    `counts` are those of a session.
    """
    found = {text: int(counts.get(f"dropped_{name}", 0)) for name, text in FAILED_CHECKS.items()}
    return {
        text: found[text] for text in sorted(found, key=lambda text: -found[text]) if found[text]
    }


def failed_check(face: Face, quality: Quality) -> str | None:
    """Return the first check of the quality gate that a face fails, or None.

    Nothing of a stranger's face that fails is kept.
    """
    passed = {
        "confidence": face.confidence >= quality.confidence,
        "height": face.box.height >= quality.height,
        "sharpness": face.sharpness >= quality.sharpness,
        "brightness": face.brightness >= quality.brightness,
        "yaw": abs(face.yaw) <= quality.yaw,
    }
    return next((name for name, is_passed in passed.items() if not is_passed), None)


def picture_score(face: Face) -> float:
    """Return how good a picture of this face is likely to be, to choose among several."""
    facing = 1 - min(abs(face.yaw), 90) / 180
    return face.sharpness * face.box.height * facing
