"""The review queue: strangers' pictures in S3, which wait for the owner's decision."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whosthere.clock import iso
from whosthere.dynamodb import Table
from whosthere.faces.match import Sighting
from whosthere.strangers.store import IGNORED, read_stranger, stranger_key

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

FOLDERS = ("review/pending", "review/ignored")


@dataclass(frozen=True, slots=True)
class StrangerFiles:
    """Where strangers' pictures and faces are: the bucket and their collection."""

    s3: "S3Client"
    rekognition: "RekognitionClient"
    bucket: str
    collection: str


def picture_key(stranger: str, captured_ms: int) -> str:
    """Return the key under which a stranger's picture waits for a decision."""
    return f"review/pending/{stranger}/{captured_ms}.jpg"


def put_in_queue(
    files: StrangerFiles,
    stranger: str,
    sighting: Sighting,
    picture: bytes | None,
    facts: Mapping[str, str | None],
) -> str:
    """Put a sighting into the review queue; return the key of its picture, or an empty text."""
    frame, face = sighting.frame, sighting.face
    key = picture_key(stranger, frame.captured_ms) if picture else ""
    if picture:
        files.s3.put_object(Bucket=files.bucket, Key=key, Body=picture, ContentType="image/jpeg")
    item = dict(facts) | {
        "stranger": stranger,
        "captured": iso(frame.captured_ms),
        "recognised": iso(frame.recognised_ms),
        "fragment": frame.fragment,
        "picture": key.rpartition("/")[2] or None,
        "box": {
            "left": face.box.left,
            "top": face.box.top,
            "width": face.box.width,
            "height": face.box.height,
        },
        "quality": {
            "confidence": face.confidence,
            "sharpness": face.sharpness,
            "brightness": face.brightness,
            "yaw": face.yaw,
        },
    }
    files.s3.put_object(
        Bucket=files.bucket,
        Key=f"review/pending/{stranger}/sighting.json",
        Body=json.dumps(item, ensure_ascii=False).encode(),
        ContentType="application/json",
    )
    return key


def stranger_of(key: str) -> str | None:
    """Return the stranger whose picture or sighting lies under a key, or None."""
    parts = key.split("/")
    if len(parts) != 4 or "/".join(parts[:2]) not in FOLDERS or not parts[2]:
        return None
    return parts[2]


def forget_if_gone(table: Table, files: StrangerFiles, stranger: str) -> str:
    """Forget a stranger of whom no picture is left; return what was done.

    `forgotten`, `kept`, or `unknown` if there is no row. An ignored stranger's face is kept:
    without it the owner would get alerts again once the picture has expired.
    """
    found = read_stranger(table, stranger)
    if found is None:
        return "unknown"
    left = [key for folder in FOLDERS for key in _keys(files, f"{folder}/{stranger}/")]
    if found.status == IGNORED or any(key.endswith(".jpg") for key in left):
        return "kept"
    if found.face_id:
        files.rekognition.delete_faces(CollectionId=files.collection, FaceIds=[found.face_id])
    for key in left:
        files.s3.delete_object(Bucket=files.bucket, Key=key)
    table.delete_item(Key=stranger_key(stranger))
    return "forgotten"


def _keys(files: StrangerFiles, prefix: str) -> list[str]:
    answer = files.s3.list_objects_v2(Bucket=files.bucket, Prefix=prefix)
    return [found["Key"] for found in answer.get("Contents", ())]
