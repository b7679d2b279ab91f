"""Images of the engine image-search, searched and made into a stream processor's records.

Images under `frames/` are untrusted: the camera is taken from the prefix, and bytes and pixels
are bounded before anything is decoded.
"""

import io
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from whosthere.errors import PictureError
from whosthere.geometry import Box
from whosthere.imaging import crop
from whosthere.ingest.camera_faces import camera_faces
from whosthere.ingest.record import FRAGMENT_DIGITS, TIMES
from whosthere.names import CAMERA_NAME, stack_prefix
from whosthere.settings import Quality

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

# No page says how Kinesis Video Streams joins folder and name: one slash or two.
KEY = re.compile(r"frames/([A-Za-z0-9-]+)//?[^/]+\.(?:jpg|jpeg|png)")
MAX_BYTES = 5_242_880  # Rekognition, Image: Bytes
MAX_PIXELS = 3840 * 2160  # Kinesis Video Streams, ImageGenerationConfiguration
MAX_FACES = 20  # each costs a search
MOST_AT_ONCE = 4  # searches of one image; accounts have 5 or 50 a second (Rekognition, quotas)
MIN_FACE_PX = 30  # below that Rekognition does not compare reliably
# Kinesis Video Streams developer guide, "Automated real-time image generation":
# the object's metadata, times in milliseconds.
PRODUCER = "aws_kinesisvideo_producer_timestamp"
SERVER = "aws_kinesisvideo_server_timestamp"
FRAGMENT = "aws_kinesisvideo_fragment_number"
# No retry mends such an image: no JPEG or PNG after all, less than 80 px, too large.
UNUSABLE = {
    "InvalidImageFormatException",
    "InvalidParameterException",
    "ImageTooLargeException",
}
# The fields of a face in a record (developer guide, "Reference: Kinesis face recognition
# record"); the image operations answer more.
DETECTED = ("BoundingBox", "Confidence", "Landmarks", "Pose", "Quality")
MATCHED = ("BoundingBox", "FaceId", "Confidence", "ImageId", "ExternalImageId")


@dataclass(frozen=True, slots=True)
class CameraImage:
    """An image of a camera's video, safe to decode.

    `camera_faces` are where the camera saw faces; None if it does not say.
    """

    content: bytes
    height_px: int
    fragment: str
    producer_ms: int
    server_ms: int
    camera_faces: tuple[Box, ...] | None = None


def camera_of(stack: str, key: str) -> str | None:
    """Return the camera whose image lies under a key, or None if it is no image's key."""
    found = KEY.fullmatch(key)
    prefix = stack_prefix(stack)
    if not found or not found.group(1).startswith(prefix):
        return None
    camera = found.group(1).removeprefix(prefix)
    return camera if CAMERA_NAME.fullmatch(camera) else None


def fetch_image(s3: "S3Client", bucket: str, key: str) -> CameraImage:
    """Return the image under a key; raise PictureError if it cannot be used."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise PictureError("the image is gone") from error
        raise
    if answer["ContentLength"] > MAX_BYTES:
        raise PictureError("the image has more than 5 MB")
    content = answer["Body"].read()
    metadata = answer["Metadata"]
    try:
        times = int(metadata[PRODUCER]), int(metadata[SERVER])
        fragment = metadata[FRAGMENT]
    except Exception as error:
        raise PictureError("the image was not made by Kinesis Video Streams") from error
    # The record made of it would be refused, but only after its faces were searched.
    is_named = 0 < len(fragment) <= FRAGMENT_DIGITS
    if not is_named or min(times) < 1000 * TIMES[0] or max(times) > 1000 * TIMES[1]:
        raise PictureError("the image has no fragment or an impossible time")
    seen = camera_faces(metadata, times[0])
    return CameraImage(content, height_px(content), fragment, *times, seen)


def height_px(content: bytes) -> int:
    """Return the height of an image in pixels; raise PictureError if it cannot be used."""
    from PIL import Image as Pillow

    try:
        # Reads the header only; pixels are decoded when they are first touched.
        with Pillow.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            width, height = image.size
    except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error and others
        raise PictureError("the image is no JPEG or PNG") from error
    if width * height > MAX_PIXELS:
        raise PictureError("the image has more pixels than Kinesis Video Streams makes")
    return height


def detect_faces(rekognition: "RekognitionClient", image: CameraImage) -> list[dict[str, Any]]:
    """Return the image's faces, the largest first, each as a record's `DetectedFace`."""
    try:
        answer = rekognition.detect_faces(Image={"Bytes": image.content})
    except ClientError as error:
        if error.response["Error"]["Code"] in UNUSABLE:
            raise PictureError("Rekognition cannot use the image") from error
        raise
    found = sorted(answer["FaceDetails"], key=lambda face: -face["BoundingBox"]["Height"])
    return [_only(DETECTED, face) for face in found]


def comparable_faces(
    detected: Sequence[Mapping[str, Any]], image: CameraImage, quality: Quality
) -> list[int]:
    """Return the places of the faces that can be compared.

    One that is too small or unclear is left out: it would look like a stranger.
    """
    return [
        place
        for place, face in enumerate(detected[:MAX_FACES])
        if face["Confidence"] >= quality.confidence
        and face["BoundingBox"]["Height"] * image.height_px >= MIN_FACE_PX
    ]


def search_faces(
    rekognition: "RekognitionClient", collection: str, image: CameraImage, quality: Quality
) -> list[dict[str, Any]]:
    """Return the record's `FaceSearchResponse`: the faces that can be compared, with matches."""
    detected = detect_faces(rekognition, image)
    places = comparable_faces(detected, image, quality)
    found = find_matches(rekognition, collection, image, detected, places)
    return [
        {"DetectedFace": detected[place], "MatchedFaces": matches}
        for place, matches in zip(places, found, strict=True)
    ]


def find_matches(
    rekognition: "RekognitionClient",
    collection: str,
    image: CameraImage,
    detected: Sequence[Mapping[str, Any]],
    places: Sequence[int],
) -> list[list[dict[str, object]]]:
    """Return the matches of the detected faces at these places, in the shape of a record.

    SearchFacesByImage takes only the largest face of an image, so each face is cropped.
    """
    boxes = [box_of(face) for face in detected]

    def search(place: int) -> list[dict[str, object]]:
        others = [box for other, box in enumerate(boxes) if other != place]
        return _matches(rekognition, collection, crop(image.content, boxes[place], others).face)

    if len(places) < 2:
        return [search(place) for place in places]
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return list(pool.map(search, places))


def _matches(
    rekognition: "RekognitionClient", collection: str, face: bytes
) -> list[dict[str, object]]:
    try:
        answer = rekognition.search_faces_by_image(
            CollectionId=collection,
            Image={"Bytes": face},
            FaceMatchThreshold=80,  # the lowest that a stream processor is asked for
        )
    except ClientError as error:
        # SearchFacesByImage answers so when it finds no face in the image.
        if error.response["Error"]["Code"] == "InvalidParameterException":
            return []
        raise
    return [
        {"Similarity": match["Similarity"], "Face": _only(MATCHED, match["Face"])}
        for match in answer["FaceMatches"]
    ]


def _only(names: Sequence[str], found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in names if name in found}


def box_of(face: Mapping[str, Any]) -> Box:
    """Return the box of a detected face."""
    box = face["BoundingBox"]
    return Box(box["Left"], box["Top"], box["Width"], box["Height"])


def build_record(stream_arn: str, image: CameraImage, faces: Sequence[object]) -> dict[str, object]:
    """Return the record of an image, in the shape of a stream processor's."""
    return {
        "InputInformation": {
            "KinesisVideo": {
                "StreamArn": stream_arn,
                "FragmentNumber": image.fragment,
                "ServerTimestamp": image.server_ms / 1000,
                "ProducerTimestamp": image.producer_ms / 1000,
                "FrameOffsetInSeconds": 0.0,
            }
        },
        "StreamProcessorInformation": {"Status": "RUNNING"},
        "FaceSearchResponse": faces,
    }
