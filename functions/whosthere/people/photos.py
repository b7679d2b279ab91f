"""Judge a photo and enroll its face: exactly one usable face, or a reason in plain words.

This is the only judge of photos: `reconcile_object` runs it, the demo before it deploys, and the
verb `enroll` before it uploads, as far as that needs no Rekognition.
"""

import io
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.errors import PhotoRefusedError
from whosthere.names import PHOTO_MARK
from whosthere.people.collections import PeopleCollections, collection_name
from whosthere.people.face_texts import (
    ADVICE,
    MIN_FACE_PX,
    describe_reason,
    describe_turn,
    face_height_px,
)

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import FaceDetailTypeDef, ImageTypeDef
    from mypy_boto3_s3 import S3Client
    from PIL.Image import Image as PillowImage

MAX_BYTES = 15_728_640  # Rekognition, guidelines and quotas: 15 MB for an object in S3
MAX_PIXELS = 50_000_000
MIN_CONFIDENCE = 90.0
BYSTANDER_SHARE = 0.4  # a face smaller than this share of the largest one is in the background
EXIF_ORIENTATION = 0x0112
ROTATED_SIDEWAYS = (5, 6, 7, 8)
TOO_MANY_PIXELS = "The photo has too many pixels. Make it smaller."
TOO_LARGE = "The photo is larger than 15 MB. Make it smaller."
LOWEST_SIMILARITY = 80.0  # the lowest that a stream processor is asked for
MOST_ALIKE = 4096  # Rekognition, SearchFaces: MaxFaces; a person's own photos come first


@dataclass(frozen=True, slots=True)
class PeopleCollection:
    """The Rekognition collection of known faces, and the bucket that holds their photos.

    `id` is the first collection's; `numbers` say which there are.
    """

    s3: "S3Client"
    rekognition: "RekognitionClient"
    bucket: str
    id: str
    numbers: PeopleCollections = PeopleCollections()

    def name(self, number: int) -> str:
        """Return the id of one of the collections."""
        return collection_name(self.id, number)


@dataclass(frozen=True, slots=True)
class Alike:
    """Another person whom a photo resembles, and how much, in per cent."""

    person: str
    similarity: float


@dataclass(frozen=True, slots=True)
class EnrolledFace:
    """The face of a photo, by the number of each collection; `advice` for a better photo."""

    faces: Mapping[int, str]
    advice: str
    alike: Alike | None


def enroll(
    collection: PeopleCollection,
    key: str,
    content: bytes,
    label: str,
    into: Iterable[int] = (),
) -> EnrolledFace:
    """Add the one face of a photo to the collections and return it.

    `content` is what S3 holds under the key, `label` the face's ExternalImageId, and `into` the
    numbers of collections, if not all. Raises PhotoRefusedError if the photo cannot be used.
    Where only a later collection refuses it, the face is empty there. Who resembles the face is
    searched only if it goes into all.
    """
    numbers = tuple(into) or collection.numbers.all
    height_px = check_photo(content)
    image: ImageTypeDef = {"S3Object": {"Bucket": collection.bucket, "Name": key}}
    face = _only_face(detect_faces(collection.rekognition, image), height_px)
    first, *others = numbers
    faces = {first: _index(collection, first, image, label, height_px)}
    for number in others:
        try:
            faces[number] = _index(collection, number, image, label, height_px)
        except PhotoRefusedError:  # by another version of the model
            faces[number] = ""
    turned = describe_turn(face)
    advice = f"{turned}; add one from the front" if turned else ""
    alike = None
    if not into:
        alike = _find_alike(collection.rekognition, collection.name(first), faces[first], label)
    return EnrolledFace(faces, advice, alike)


def check_photo(content: bytes) -> int:
    """Refuse what no face needs to be searched for to be refused; return the height in pixels."""
    if len(content) > MAX_BYTES:
        raise PhotoRefusedError(TOO_LARGE)
    return check_picture(content)


def delete_faces(collection: PeopleCollection, face_ids: list[str]) -> None:
    """Delete faces from all collections; a face that is not there is no error."""
    wanted = sorted({face_id for face_id in face_ids if face_id})
    for number in collection.numbers.all if wanted else ():
        collection.rekognition.delete_faces(CollectionId=collection.name(number), FaceIds=wanted)


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


def detect_faces(
    rekognition: "RekognitionClient", image: "ImageTypeDef"
) -> "list[FaceDetailTypeDef]":
    """Return what surely is a face; raise PhotoRefusedError if the image cannot be used."""
    try:
        found = rekognition.detect_faces(Image=image)
    except ClientError as error:
        raise _refusal(error) from error
    return [face for face in found["FaceDetails"] if face["Confidence"] >= MIN_CONFIDENCE]


def _only_face(faces: "list[FaceDetailTypeDef]", height_px: int) -> "FaceDetailTypeDef":
    """Return the one face in the foreground; raise PhotoRefusedError if there is not one."""
    if not faces:
        raise PhotoRefusedError(f"No face was found in this photo. {ADVICE}")
    largest = max(faces, key=lambda face: face["BoundingBox"]["Height"])
    smallest = BYSTANDER_SHARE * largest["BoundingBox"]["Height"]
    foreground = [face for face in faces if face["BoundingBox"]["Height"] >= smallest]
    if len(foreground) > 1:
        raise PhotoRefusedError(
            f"{len(foreground)} faces were found in this photo. Crop it so that only the"
            " person to be enrolled is left."
        )
    largest_px = face_height_px(largest, height_px)
    if largest_px < MIN_FACE_PX:
        raise PhotoRefusedError(
            f"The face is too small: {largest_px:.0f} pixels high, at least"
            f" {MIN_FACE_PX} are needed. Use a larger photo, or one taken from closer."
        )
    return largest


def _index(
    collection: PeopleCollection, number: int, image: "ImageTypeDef", label: str, height_px: int
) -> str:
    try:
        found = collection.rekognition.index_faces(
            CollectionId=collection.name(number),
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
        text
        for face in found.get("UnindexedFaces", ())
        for reason in face["Reasons"]
        if (text := describe_reason(reason, face.get("FaceDetail", {}), height_px))
    ]
    why = " and ".join(dict.fromkeys(reasons)) or "the face cannot be read"
    raise PhotoRefusedError(f"The photo is too poor: {why}. {ADVICE}")


def _find_alike(
    rekognition: "RekognitionClient", collection: str, face_id: str, label: str
) -> Alike | None:
    """Return the other person who resembles a face most; None if nobody does or AWS refuses."""
    try:
        found = rekognition.search_faces(
            CollectionId=collection,
            FaceId=face_id,
            FaceMatchThreshold=LOWEST_SIMILARITY,
            MaxFaces=MOST_ALIKE,
        )
    except (BotoCoreError, ClientError):  # the photo is good without it
        return None
    own = label.partition(PHOTO_MARK)[0]
    for match in found["FaceMatches"]:  # the most similar first
        person = match["Face"].get("ExternalImageId", "").partition(PHOTO_MARK)[0]
        if person not in (own, ""):
            return Alike(person, match["Similarity"])
    return None


def _refusal(error: ClientError) -> Exception:
    """Return what Rekognition's error says about the photo; the error itself if nothing."""
    code = error.response["Error"]["Code"]
    if code in ("InvalidImageFormatException", "ImageTooLargeException"):
        return PhotoRefusedError("The photo cannot be read: save it as a JPEG or PNG.")
    if code == "InvalidParameterException":  # a side below 80 pixels, or no face
        return PhotoRefusedError(f"The photo is too small to show a face. {ADVICE}")
    return error
