"""The quality gate: what a stranger's sighting must reach before anything of it is kept."""

from whosthere.ingest.record import Face
from whosthere.settings import Quality


def shortfall(face: Face, wanted: Quality) -> str | None:
    """Name of the first quality that a face falls short of, or None if it will do."""
    reached = {
        "confidence": face.confidence >= wanted.confidence,
        "height": face.box.height >= wanted.height,
        "sharpness": face.sharpness >= wanted.sharpness,
        "brightness": face.brightness >= wanted.brightness,
        "yaw": abs(face.yaw) <= wanted.yaw,
    }
    return next((name for name, is_reached in reached.items() if not is_reached), None)


def score(face: Face) -> float:
    """How good a picture of this face will be, to choose among several."""
    facing = 1 - min(abs(face.yaw), 90) / 180
    return face.sharpness * face.box.height * facing
