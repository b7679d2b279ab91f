"""QualityFilter: which faces are good enough to be indexed or searched.

AWS publishes the levels and the reasons but not its thresholds; these are ours.
"""

from dataclasses import dataclass
from typing import Any

from local.rekognition.worker.recent import Faces


@dataclass(frozen=True, slots=True)
class QualityThresholds:
    """The thresholds of one quality level."""

    confidence: float
    sharpness: float
    brightness: float
    turn: float  # degrees of yaw or pitch, at most
    size: int  # pixels


LEVELS = {
    "LOW": QualityThresholds(confidence=91, sharpness=2, brightness=8, turn=75, size=40),
    "MEDIUM": QualityThresholds(confidence=95, sharpness=10, brightness=15, turn=50, size=50),
    "HIGH": QualityThresholds(confidence=99, sharpness=30, brightness=20, turn=30, size=80),
}
LEVELS["AUTO"] = LEVELS["LOW"]


def reasons(face: dict[str, Any], level: str) -> list[str]:
    """Return the API's reasons why a face fails a quality level, if any."""
    thresholds = LEVELS.get(level)
    if thresholds is None:
        return []
    detail = face["detail"]
    pose, quality = detail["Pose"], detail["Quality"]
    checks = {
        "EXTREME_POSE": max(abs(pose["Yaw"]), abs(pose["Pitch"])) > thresholds.turn,
        "LOW_BRIGHTNESS": quality["Brightness"] < thresholds.brightness,
        "LOW_SHARPNESS": quality["Sharpness"] < thresholds.sharpness,
        "LOW_CONFIDENCE": detail["Confidence"] < thresholds.confidence,
        "SMALL_BOUNDING_BOX": face["size"] < thresholds.size,
    }
    return [reason for reason, missed in checks.items() if missed]


def passing(faces: Faces, level: str) -> Faces:
    """Return the faces that pass a quality level."""
    return [face for face in faces if not reasons(face, level)]
