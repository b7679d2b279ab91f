"""The review queue: strangers' pictures in S3, in a folder for each thing that can be decided.

review/pending/<stranger>/    wait for the owner
review/ignored/<stranger>/    no further alert
review/named/<stranger>/      of who was named, kept in case that is taken back
review/discarded/<stranger>/  thrown away by page or command; gone for good after ten minutes
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere import clock
from whosthere.clock import iso
from whosthere.dynamodb import Table
from whosthere.faces.match import Sighting, picture_score
from whosthere.names import STRANGER_PREFIX
from whosthere.strangers.store import remove_pictures, save_stranger
from whosthere.strangers.stranger import (
    DISCARDED,
    IGNORED,
    MOST_PICTURES,
    NAMED,
    PENDING,
    Picture,
    Stranger,
    best_first,
)

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

    from whosthere.strangers.pictures import PresignedUrls

REVIEW = "review/"
FOLDERS = (PENDING, IGNORED, NAMED, DISCARDED)
PICTURE = ".jpg"
FACTS = "sighting.json"
OWN_LENGTH = 6  # of a stranger's id, in the names of his pictures
STRANGER_ID = re.compile(rf"{STRANGER_PREFIX}[0-9A-Za-z-]+")  # fits an ExternalImageId
GONE = ("404", "NoSuchKey", "NotFound")  # S3's codes of what does not lie there


@dataclass(frozen=True, slots=True)
class StrangerFiles:
    """Where strangers' pictures and faces are: the bucket and their collection."""

    s3: "S3Client"
    rekognition: "RekognitionClient"
    bucket: str
    collection: str


@dataclass(frozen=True, slots=True)
class StrangerContext:
    """What the work on strangers needs besides alerting.

    `image` returns the frame of a sighting; `wait` lets milliseconds pass.
    """

    files: StrangerFiles
    urls: "PresignedUrls"
    image: Callable[[Sighting], bytes]
    wait: Callable[[int], object] = clock.wait


def folder_of(status: str, stranger: str) -> str:
    """Return the prefix of the keys of a stranger's pictures while he has that status."""
    return f"{REVIEW}{status}/{stranger}/"


def put_in_queue(
    files: StrangerFiles,
    stranger: str,
    sighting: Sighting,
    content: bytes | None,
    facts: Mapping[str, str | None],
) -> Picture | None:
    """Put a sighting into the review queue; return its picture, if it has one."""
    frame, face = sighting.frame, sighting.face
    # Two who were seen in one frame: `aws s3 mv` of one's pictures must not overwrite the other's.
    own = stranger.removeprefix(STRANGER_PREFIX)[:OWN_LENGTH]
    folder, file = folder_of(PENDING, stranger), f"{frame.captured_ms}-{own}{PICTURE}"
    picture = None
    if content:
        put = files.s3.put_object(
            Bucket=files.bucket, Key=f"{folder}{file}", Body=content, ContentType="image/jpeg"
        )
        picture = Picture(
            sha256=hashlib.sha256(content).hexdigest(),
            etag=put["ETag"],
            captured_ms=frame.captured_ms,
            camera=frame.camera,
            score=picture_score(face),
            file=file,
        )
    item = dict(facts) | {
        "stranger": stranger,
        "captured": iso(frame.captured_ms),
        "recognised": iso(frame.recognised_ms),
        "fragment": frame.fragment,
        "picture": picture.file if picture else None,
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
        Key=f"{folder}{FACTS}",
        Body=json.dumps(item, ensure_ascii=False).encode(),
        ContentType="application/json",
    )
    return picture


def save_queued(
    table: Table,
    files: StrangerFiles,
    before: Stranger | None,
    seen: Stranger,
    picture: Picture | None,
) -> Stranger:
    """Write the row of a stranger who waits, with the best pictures and the newest one.

    What those leave no room for is deleted. Return the stranger as written.
    """
    after = seen
    if picture:
        others = [one for one in seen.pictures if one.sha256 != picture.sha256]
        pictures = best_first([picture, *others[: MOST_PICTURES - 1]])
        key = f"{folder_of(PENDING, seen.id)}{picture.file}"
        after = replace(seen, pictures=pictures, picture_key=key, unsettled_ms=0)
    save_stranger(table, before, after, new_picture=picture.sha256 if picture else "")
    files_kept = {one.file for one in after.pictures}
    kept = {one.sha256 for one in after.pictures}
    for one in seen.pictures:
        if one.file not in files_kept:
            key = f"{folder_of(PENDING, seen.id)}{one.file}"
            files.s3.delete_object(Bucket=files.bucket, Key=key)
    remove_pictures(table, [one for one in seen.pictures if one.sha256 not in kept])
    return after


def status_of_key(key: str) -> str | None:
    """Return the status that what lies under a key stands for; None outside the folders."""
    parts = key.split("/")
    is_inside = len(parts) >= 3 and parts[0] == REVIEW[:-1] and parts[-1] != ""
    return parts[1] if is_inside and parts[1] in FOLDERS else None


def stranger_of(key: str) -> str | None:
    """Return the stranger in whose folder a key lies; None if the folder has no stranger's name."""
    parts = key.split("/")
    if len(parts) != 4 or parts[0] != REVIEW[:-1] or parts[1] not in FOLDERS:
        return None
    return parts[2] if STRANGER_ID.fullmatch(parts[2]) else None


def objects_of(files: StrangerFiles, stranger: str) -> dict[str, str]:
    """Return the ETag of each object in a stranger's folders, by its key."""
    found: dict[str, str] = {}
    for status in FOLDERS:
        answer = files.s3.list_objects_v2(Bucket=files.bucket, Prefix=folder_of(status, stranger))
        found |= {item["Key"]: item["ETag"] for item in answer.get("Contents", ())}
    return found


def move(files: StrangerFiles, key: str, target: str) -> None:
    """Move an object within the bucket; one that is gone is moved already."""
    copy(files, key, target)
    files.s3.delete_object(Bucket=files.bucket, Key=key)


def copy(files: StrangerFiles, key: str, target: str) -> None:
    """Copy an object within the bucket; one that is gone is no error."""
    source: CopySourceTypeDef = {"Bucket": files.bucket, "Key": key}
    try:
        files.s3.copy_object(Bucket=files.bucket, Key=target, CopySource=source)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
