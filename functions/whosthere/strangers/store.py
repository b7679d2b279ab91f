"""Strangers: who was seen and is no person; the same one seen again is the same stranger.

Their faces lie in a collection of their own, never in the people's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from whosthere import dynamodb as rows
from whosthere.clock import iso
from whosthere.dynamodb import KEEP_ROWS_S, Table
from whosthere.faces.tracker import Hit

PENDING, IGNORED, NAMED, DISCARDED = "pending", "ignored", "named", "discarded"
FOLDERS = ("review/pending", "review/ignored")


@dataclass(frozen=True, slots=True)
class Stranger:
    """A stranger's row; times in milliseconds."""

    id: str
    camera: str
    first_ms: int
    last_ms: int
    sightings: int
    picture_key: str
    face_id: str
    status: str

    @property
    def is_quiet(self) -> bool:
        """Whether the owner decided to hear no more of this one."""
        return self.status in (IGNORED, NAMED)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whose face it is: a stranger's id, the face in the collection, and how alike."""

    stranger: str
    face_id: str
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Album:
    """Where strangers' faces and pictures lie."""

    s3: Any
    rekognition: Any
    bucket: str
    collection: str


def recognise(album: Album, face: bytes, stranger: str, threshold: float) -> Likeness:
    """Whether the face is a known stranger's; if not it becomes `stranger`'s.

    Repeating it changes nothing: the second time the face is found.
    """
    found = _search(album, face, threshold)
    if found is not None:
        return found
    answer = album.rekognition.index_faces(
        CollectionId=album.collection,
        Image={"Bytes": face},
        ExternalImageId=stranger,
        MaxFaces=1,
        QualityFilter="NONE",  # the quality gate has passed it
    )
    indexed = answer["FaceRecords"]
    return Likeness(stranger, indexed[0]["Face"]["FaceId"] if indexed else "", None)


def _search(album: Album, face: bytes, threshold: float) -> Likeness | None:
    try:
        answer = album.rekognition.search_faces_by_image(
            CollectionId=album.collection,
            Image={"Bytes": face},
            FaceMatchThreshold=threshold,
            MaxFaces=5,
        )
    except ClientError as error:
        # That is how SearchFacesByImage says that it finds no face in the image.
        if error.response["Error"]["Code"] == "InvalidParameterException":
            return None
        raise
    matches = [match for match in answer["FaceMatches"] if match["Face"].get("ExternalImageId")]
    if not matches:
        return None
    best = max(matches, key=lambda match: match["Similarity"])
    face_found = best["Face"]
    return Likeness(face_found["ExternalImageId"], face_found["FaceId"], best["Similarity"])


def stranger_key(stranger: str) -> dict[str, str]:
    """Key of a stranger's row."""
    return {"pk": f"stranger#{stranger}", "sk": "stranger"}


def read_stranger(table: Table, stranger: str) -> Stranger | None:
    """The stranger of that id, or None."""
    item = rows.read(table, stranger_key(stranger))
    if item is None:
        return None
    return Stranger(
        id=stranger,
        camera=item["camera"],
        first_ms=int(item["firstSeen"]),
        last_ms=int(item["lastSeen"]),
        sightings=int(item["sightings"]),
        picture_key=item.get("pictureKey", ""),
        face_id=item.get("faceId", ""),
        status=item["status"],
    )


def note(
    table: Table, likeness: Likeness, camera: str, *, picture_key: str, moment_ms: int
) -> None:
    """See that the stranger has a row that waits for a decision, with the newest picture."""
    picture = ", pictureKey = :picture" if picture_key else ""
    table.update_item(
        Key=stranger_key(likeness.stranger),
        UpdateExpression="SET #status = :pending, expires = :expires,"
        " camera = if_not_exists(camera, :camera),"
        " firstSeen = if_not_exists(firstSeen, :moment),"
        " lastSeen = if_not_exists(lastSeen, :moment),"
        " sightings = if_not_exists(sightings, :none),"
        " faceId = if_not_exists(faceId, :face)" + picture,
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":pending": PENDING,
            ":expires": moment_ms // 1000 + KEEP_ROWS_S,
            ":camera": camera,
            ":moment": moment_ms,
            ":none": 0,
            ":face": likeness.face_id,
        }
        | ({":picture": picture_key} if picture_key else {}),
    )


def seen_again(table: Table, stranger: str, last_ms: int, sightings: int) -> None:
    """Add sightings to a stranger's row, if there is one."""
    try:
        table.update_item(
            Key=stranger_key(stranger),
            UpdateExpression="SET lastSeen = :last ADD sightings :more",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":last": last_ms, ":more": sightings},
        )
    except ClientError as error:
        if not rows.is_lost(error):
            raise


def picture_key(stranger: str, captured_ms: int) -> str:
    """Where a stranger's picture waits for a decision."""
    return f"review/pending/{stranger}/{captured_ms}.jpg"


def put_in_queue(
    album: Album, stranger: str, hit: Hit, picture: bytes | None, facts: Mapping[str, Any]
) -> str:
    """Put a sighting into the review queue; the key of its picture, empty if it has none."""
    key = picture_key(stranger, hit.captured_ms) if picture else ""
    if picture:
        album.s3.put_object(Bucket=album.bucket, Key=key, Body=picture, ContentType="image/jpeg")
    told = dict(facts) | {
        "stranger": stranger,
        "captured": iso(hit.captured_ms),
        "recognised": iso(hit.recognised_ms),
        "fragment": hit.fragment,
        "picture": key.rpartition("/")[2] or None,
        "box": {
            "left": hit.face.box.left,
            "top": hit.face.box.top,
            "width": hit.face.box.width,
            "height": hit.face.box.height,
        },
        "quality": {
            "confidence": hit.face.confidence,
            "sharpness": hit.face.sharpness,
            "brightness": hit.face.brightness,
            "yaw": hit.face.yaw,
        },
    }
    album.s3.put_object(
        Bucket=album.bucket,
        Key=f"review/pending/{stranger}/sighting.json",
        Body=json.dumps(told, ensure_ascii=False).encode(),
        ContentType="application/json",
    )
    return key


def stranger_of(key: str) -> str | None:
    """The stranger whose picture or sighting lies under a key, or None."""
    parts = key.split("/")
    if len(parts) != 4 or "/".join(parts[:2]) not in FOLDERS or not parts[2]:
        return None
    return parts[2]


def forget_if_gone(table: Table, album: Album, stranger: str) -> str:
    """Forget a stranger of whom no picture is left; what was done.

    `forgotten`, `kept`, or `unknown` if there is no row. One who is ignored keeps the
    face, or would be announced again when the picture expires.
    """
    found = read_stranger(table, stranger)
    if found is None:
        return "unknown"
    left = [key for folder in FOLDERS for key in _keys(album, f"{folder}/{stranger}/")]
    if found.status == IGNORED or any(key.endswith(".jpg") for key in left):
        return "kept"
    if found.face_id:
        album.rekognition.delete_faces(CollectionId=album.collection, FaceIds=[found.face_id])
    for key in left:
        album.s3.delete_object(Bucket=album.bucket, Key=key)
    table.delete_item(Key=stranger_key(stranger))
    return "forgotten"


def _keys(album: Album, prefix: str) -> list[str]:
    answer = album.s3.list_objects_v2(Bucket=album.bucket, Prefix=prefix)
    return [found["Key"] for found in answer.get("Contents", ())]
