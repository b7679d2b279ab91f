"""Say in words, with numbers, what is wrong with a face in a photo."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_rekognition.type_defs import FaceDetailTypeDef

# Rekognition developer guide, "Recommendations for facial comparison input images": degrees,
# and pixels of a face in an image of up to 1920 x 1080.
MAX_YAW, MAX_PITCH_UP, MAX_PITCH_DOWN = 45, 45, 30
MIN_FACE_PX = 50
ADVICE = "Use one that shows head and shoulders, from the front, in good light."
REASONS = {  # Rekognition, IndexFaces: UnindexedFaces, Reasons
    "EXTREME_POSE": "the head is turned too far",
    "LOW_BRIGHTNESS": "the face is too dark",
    "LOW_SHARPNESS": "the face is blurred",
    "LOW_CONFIDENCE": "it is not clear that this is a face",
    "SMALL_BOUNDING_BOX": "the face is too small",
    "LOW_FACE_QUALITY": "the face is covered or hard to see",
}


def describe_reason(reason: str, face: "FaceDetailTypeDef", height_px: int) -> str | None:
    """Return IndexFaces' reason for leaving a face out, with the number; None if it is unknown.

    `height_px` is the height of the photo.
    """
    text = REASONS.get(reason)
    if text is None:
        return None
    if reason == "EXTREME_POSE":
        return describe_turn(face) or text
    quality = face.get("Quality", {})
    numbers = {
        "LOW_BRIGHTNESS": _number(quality.get("Brightness"), "brightness {:.0f} of 100"),
        "LOW_SHARPNESS": _number(quality.get("Sharpness"), "sharpness {:.0f} of 100"),
        "LOW_CONFIDENCE": _number(face.get("Confidence"), "{:.0f} % sure"),
        "SMALL_BOUNDING_BOX": _number(face_height_px(face, height_px), "{:.0f} pixels high"),
    }
    return text + numbers.get(reason, "")


def describe_turn(face: "FaceDetailTypeDef") -> str:
    """Return how a head is turned further than recommended; empty if it is not.

    Yaw grows towards the right of the picture, pitch upwards.
    """
    pose = face.get("Pose", {})
    yaw, pitch = pose.get("Yaw", 0.0), pose.get("Pitch", 0.0)
    turns = [
        ("right", yaw, MAX_YAW),
        ("left", -yaw, MAX_YAW),
        ("up", pitch, MAX_PITCH_UP),
        ("down", -pitch, MAX_PITCH_DOWN),
    ]
    parts = [
        f"too far {side} ({degrees:.0f}°, less than {limit}° is recommended)"
        for side, degrees, limit in turns
        if degrees >= limit
    ]
    return f"the head is turned {' and '.join(parts)}" if parts else ""


def face_height_px(face: "FaceDetailTypeDef", height_px: int) -> float:
    """Return the height of a face in pixels."""
    return face.get("BoundingBox", {}).get("Height", 0.0) * height_px


def _number(value: float | None, text: str) -> str:
    return "" if not value else f" ({text.format(value)})"
