"""Photos that enrol somebody: exactly one usable face, or a reason in plain words."""

import io
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from whosthere.errors import PhotoRefusedError

MAX_BYTES = 15_728_640  # Rekognition, guidelines and quotas: 15 MB for an object in S3
MAX_PIXELS = 50_000_000
MIN_FACE_PX = 50  # Rekognition, recommendations for facial comparison input images
MIN_CONFIDENCE = 90.0
BYSTANDER = 0.4  # a face smaller than this share of the largest stands behind
EXIF_ORIENTATION = 0x0112
TURNED_SIDEWAYS = (5, 6, 7, 8)
ADVICE = " Use one that shows head and shoulders, from the front, in good light."
REASONS = {  # Rekognition, IndexFaces: UnindexedFaces, Reasons
    "EXTREME_POSE": "the head is turned too far",
    "LOW_BRIGHTNESS": "the face is too dark",
    "LOW_SHARPNESS": "the face is blurred",
    "LOW_CONFIDENCE": "it is not clear that this is a face",
    "SMALL_BOUNDING_BOX": "the face is too small",
    "LOW_FACE_QUALITY": "the face is covered or hard to see",
}


@dataclass(frozen=True, slots=True)
class Studio:
    """Where photos lie and who looks at them."""

    s3: Any
    rekognition: Any
    bucket: str
    collection: str


def enrol(studio: Studio, key: str, size: int, person: str) -> str:
    """Put the one face of a photo into the collection; its face id, or PhotoRefusedError."""
    if size > MAX_BYTES:
        raise PhotoRefusedError("The photo is larger than 15 MB. Make it smaller.")
    height_px = _height_px(studio, key)
    image = {"S3Object": {"Bucket": studio.bucket, "Name": key}}
    _check_faces(_detect(studio, image), height_px)
    return _index(studio, image, person)


def forget(studio: Studio, faces: list[str]) -> None:
    """Delete faces from the collection; those that are gone already are no error."""
    wanted = sorted(face for face in faces if face)
    if wanted:
        studio.rekognition.delete_faces(CollectionId=studio.collection, FaceIds=wanted)


def _height_px(studio: Studio, key: str) -> int:
    from PIL import Image, UnidentifiedImageError

    body = studio.s3.get_object(Bucket=studio.bucket, Key=key)["Body"].read()
    try:
        with Image.open(io.BytesIO(body), formats=("JPEG", "PNG")) as image:
            turned = image.getexif().get(EXIF_ORIENTATION) in TURNED_SIDEWAYS
            width, height = image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise PhotoRefusedError(
            "This is no JPEG or PNG that can be read. Save the photo as one of these."
        ) from error
    if width * height > MAX_PIXELS:
        raise PhotoRefusedError("The photo has too many pixels. Make it smaller.")
    return width if turned else height


def _detect(studio: Studio, image: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        found = studio.rekognition.detect_faces(Image=image)
    except ClientError as error:
        raise _refusal(error) from error
    return [face for face in found["FaceDetails"] if face["Confidence"] >= MIN_CONFIDENCE]


def _check_faces(faces: list[dict[str, Any]], height_px: int) -> None:
    if not faces:
        raise PhotoRefusedError("No face was found in this photo." + ADVICE)
    heights = [face["BoundingBox"]["Height"] for face in faces]
    facing = [height for height in heights if height >= BYSTANDER * max(heights)]
    if len(facing) > 1:
        raise PhotoRefusedError(
            f"{len(facing)} faces were found in this photo. Cut it so that only the"
            " person to be enrolled is left."
        )
    largest_px = max(heights) * height_px
    if largest_px < MIN_FACE_PX:
        raise PhotoRefusedError(
            f"The face is too small: {largest_px:.0f} pixels high, at least"
            f" {MIN_FACE_PX} are needed. Use a larger photo, or one from nearer."
        )


def _index(studio: Studio, image: dict[str, Any], person: str) -> str:
    try:
        found = studio.rekognition.index_faces(
            CollectionId=studio.collection,
            Image=image,
            ExternalImageId=person,
            MaxFaces=1,
            QualityFilter="AUTO",
        )
    except ClientError as error:
        raise _refusal(error) from error
    if found["FaceRecords"]:
        return str(found["FaceRecords"][0]["Face"]["FaceId"])
    reasons = [
        REASONS[reason]
        for face in found.get("UnindexedFaces", ())
        for reason in face["Reasons"]
        if reason in REASONS
    ]
    why = " and ".join(dict.fromkeys(reasons)) or "the face cannot be read"
    raise PhotoRefusedError(f"The photo is too poor: {why}." + ADVICE)


def _refusal(error: ClientError) -> Exception:
    """What an answer of Rekognition says about the photo; the error itself if nothing."""
    code = error.response["Error"]["Code"]
    if code in ("InvalidImageFormatException", "ImageTooLargeException"):
        return PhotoRefusedError("The photo cannot be read: save it as a JPEG or PNG.")
    if code == "InvalidParameterException":  # a side below 80 pixels, or no face
        return PhotoRefusedError("The photo is too small to show a face." + ADVICE)
    return error
