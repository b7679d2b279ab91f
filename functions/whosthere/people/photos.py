"""Judge a photo and enroll its face: exactly one usable face, or a reason in plain words.

This is the only judge of photos: `reconcile_object` runs it on AWS, and the demo before it deploys.
"""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.errors import PhotoRefusedError

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import FaceDetailTypeDef, ImageTypeDef
    from mypy_boto3_s3 import S3Client
    from PIL.Image import Image as PillowImage

MAX_BYTES = 15_728_640  # Rekognition, guidelines and quotas: 15 MB for an object in S3
MAX_PIXELS = 50_000_000
MIN_FACE_PX = 50  # Rekognition, recommendations for facial comparison input images
MIN_CONFIDENCE = 90.0
BYSTANDER_SHARE = 0.4  # a face smaller than this share of the largest one is in the background
EXIF_ORIENTATION = 0x0112
ROTATED_SIDEWAYS = (5, 6, 7, 8)
TOO_MANY_PIXELS = "The photo has too many pixels. Make it smaller."
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
class PeopleCollection:
    """The Rekognition collection of known faces, and the bucket that holds their photos."""

    s3: "S3Client"
    rekognition: "RekognitionClient"
    bucket: str
    id: str


def enroll(collection: PeopleCollection, key: str, content: bytes, label: str) -> str:
    """Add the one face of a photo to the collection and return its face id.

    `label` is the face's ExternalImageId. Raises PhotoRefusedError if the photo cannot be used.
    """
    if len(content) > MAX_BYTES:
        raise PhotoRefusedError("The photo is larger than 15 MB. Make it smaller.")
    height_px = check_picture(content)
    image: ImageTypeDef = {"S3Object": {"Bucket": collection.bucket, "Name": key}}
    _check_faces(_detect(collection, image), height_px)
    return _index(collection, image, label)


def delete_faces(collection: PeopleCollection, face_ids: list[str]) -> None:
    """Delete faces from the collection; a face that is not there is no error."""
    wanted = sorted(face_id for face_id in face_ids if face_id)
    if wanted:
        collection.rekognition.delete_faces(CollectionId=collection.id, FaceIds=wanted)


def check_picture(content: bytes) -> int:
    """Refuse what is not a JPEG or PNG of a usable size; return its height, upright, in pixels."""
    from PIL import Image

    try:
        with (
            # Pillow warns from 89 million pixels on; the limit below is lower.
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image,
        ):
            width, height = image.size
            # Before the EXIF data: a PNG has to be decoded to its end for that.
            if width * height > MAX_PIXELS:
                raise PhotoRefusedError(TOO_MANY_PIXELS)
            is_sideways = _orientation(image) in ROTATED_SIDEWAYS
    except Image.DecompressionBombError as error:
        raise PhotoRefusedError(TOO_MANY_PIXELS) from error
    except PhotoRefusedError:
        raise
    except Exception as error:  # Pillow raises ValueError and others for what is damaged
        raise PhotoRefusedError(
            "This is not a JPEG or PNG that can be read. Save the photo as one of these."
        ) from error
    return width if is_sideways else height


def _orientation(image: "PillowImage") -> int | None:
    """Return the orientation in the EXIF data; None if there is none or it is damaged."""
    try:
        orientation: int | None = image.getexif().get(EXIF_ORIENTATION)
    except Exception:  # Pillow raises SyntaxError, struct.error and others for damaged data
        return None
    return orientation


def _detect(collection: PeopleCollection, image: "ImageTypeDef") -> "list[FaceDetailTypeDef]":
    try:
        found = collection.rekognition.detect_faces(Image=image)
    except ClientError as error:
        raise _refusal(error) from error
    return [face for face in found["FaceDetails"] if face["Confidence"] >= MIN_CONFIDENCE]


def _check_faces(faces: "list[FaceDetailTypeDef]", height_px: int) -> None:
    if not faces:
        raise PhotoRefusedError("No face was found in this photo." + ADVICE)
    heights = [face["BoundingBox"]["Height"] for face in faces]
    foreground = [height for height in heights if height >= BYSTANDER_SHARE * max(heights)]
    if len(foreground) > 1:
        raise PhotoRefusedError(
            f"{len(foreground)} faces were found in this photo. Crop it so that only the"
            " person to be enrolled is left."
        )
    largest_px = max(heights) * height_px
    if largest_px < MIN_FACE_PX:
        raise PhotoRefusedError(
            f"The face is too small: {largest_px:.0f} pixels high, at least"
            f" {MIN_FACE_PX} are needed. Use a larger photo, or one taken from closer."
        )


def _index(collection: PeopleCollection, image: "ImageTypeDef", label: str) -> str:
    try:
        found = collection.rekognition.index_faces(
            CollectionId=collection.id,
            Image=image,
            ExternalImageId=label,
            MaxFaces=1,
            QualityFilter="AUTO",
        )
    except ClientError as error:
        raise _refusal(error) from error
    if found["FaceRecords"]:
        return found["FaceRecords"][0]["Face"]["FaceId"]
    reasons = [
        REASONS[reason]
        for face in found.get("UnindexedFaces", ())
        for reason in face["Reasons"]
        if reason in REASONS
    ]
    why = " and ".join(dict.fromkeys(reasons)) or "the face cannot be read"
    raise PhotoRefusedError(f"The photo is too poor: {why}." + ADVICE)


def _refusal(error: ClientError) -> Exception:
    """Return what Rekognition's error says about the photo; the error itself if nothing."""
    code = error.response["Error"]["Code"]
    if code in ("InvalidImageFormatException", "ImageTooLargeException"):
        return PhotoRefusedError("The photo cannot be read: save it as a JPEG or PNG.")
    if code == "InvalidParameterException":  # a side below 80 pixels, or no face
        return PhotoRefusedError("The photo is too small to show a face." + ADVICE)
    return error
