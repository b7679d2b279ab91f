"""From counted calls, minutes and bytes to quantities that have a price."""

from collections.abc import Mapping
from dataclasses import dataclass

from whosthere.costs.calculator import added
from whosthere.dynamodb import Row

STREAM_PROCESSOR = "stream-processor"
GB = 1_000_000_000
HOURS_OF_MONTH = 720
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DETECT, SEARCH = "detect-faces", "search-faces"
READ, WRITE = "table-reads", "table-writes"
GET, PUT = "bucket-reads", "bucket-writes"
# What a call is billed as. One to DynamoDB counts as one unit, which is the least it can be; in
# a transaction each row counts twice, and the smallest has two.
PRICE_OF_CALL: Mapping[str, tuple[str, int]] = {
    "rekognition:DetectFaces": (DETECT, 1),
    "rekognition:SearchFacesByImage": (SEARCH, 1),
    "rekognition:SearchFaces": (SEARCH, 1),
    "rekognition:IndexFaces": (SEARCH, 1),
    "kinesis-video-archived-media:GetImages": ("image-generation", 1),
    "states:Transition": ("transitions", 1),
    "lambda:Invoke": ("lambda-requests", 1),
    "sns:Publish": ("topic", 1),
    "dynamodb:GetItem": (READ, 1),
    "dynamodb:BatchGetItem": (READ, 1),
    "dynamodb:Query": (READ, 1),
    "dynamodb:PutItem": (WRITE, 1),
    "dynamodb:UpdateItem": (WRITE, 1),
    "dynamodb:DeleteItem": (WRITE, 1),
    "dynamodb:TransactWriteItems": (WRITE, 4),
    "s3:GetObject": (GET, 1),
    "s3:HeadObject": (GET, 1),
    "s3:PutObject": (PUT, 1),
    "s3:CopyObject": (PUT, 1),
    "s3:ListObjectsV2": (PUT, 1),
}
# Units of DynamoDB for one image with a known face: six reads and three writes of one unit each
# (counted: test_limits.py), and the row of tracks with a thumbnail of the image: 17 KB if that has
# 1280 x 720 pixels, the edge's default.
UNITS_TO_READ_TRACKS, UNITS_TO_WRITE_TRACKS = 5, 17
READS_OF_IMAGE, WRITES_OF_IMAGE = 6 + UNITS_TO_READ_TRACKS, 3 + UNITS_TO_WRITE_TRACKS
# Counters of images that Kinesis Video Streams made: each image is in one of them.
IMAGE_COUNTERS = ("records", "images_outside", "images_refused", "images_over_limit")


@dataclass(frozen=True, slots=True)
class Metered:
    """What the checks of a session measured: how long its engine ran, bytes of its video."""

    engine_ms: int = 0
    video_bytes: int = 0

    @staticmethod
    def of(row: Row, ended_ms: int | None = None) -> "Metered":
        """Return what a session's row holds; an engine runs until the session has ended."""
        check = row.get("check", {})
        rest = max(0, ended_ms - int(check["checked"])) if ended_ms and _was_on(check) else 0
        return Metered(int(check.get("engine_ms", 0)) + rest, int(check.get("video_bytes", 0)))


def _was_on(check: Row) -> bool:
    return bool(check.get("checked")) and bool(check.get("ran") or check.get("starts"))


def usage_of_calls(calls: Mapping[str, int]) -> dict[str, float]:
    """Return what counted calls are billed as; counters that are no calls count nothing."""
    billed = [
        {PRICE_OF_CALL[name][0]: float(number) * PRICE_OF_CALL[name][1]}
        for name, number in calls.items()
        if name in PRICE_OF_CALL
    ]
    return added(billed)


def usage_of_session(
    engine: str, calls: Mapping[str, int], counts: Mapping[str, int], metered: Metered
) -> dict[str, float]:
    """Return a session's usage, as far as its own counters tell it."""
    gigabytes = metered.video_bytes / GB
    found: dict[str, float] = {"video-in": gigabytes}
    if engine == STREAM_PROCESSOR:
        minutes = metered.engine_ms / MINUTE_MS
        found |= {"face-search": minutes, "video-read": gigabytes}
    else:
        images = float(sum(int(counts.get(name, 0)) for name in IMAGE_COUNTERS))
        found |= usage_of_images(images)
    return added([usage_of_calls(calls), found])


def usage_of_images(images: float) -> dict[str, float]:
    """Return what images cost besides Rekognition: each is written to S3, a message, and a run.

    A message is sent, received and deleted.
    """
    once = ("image-generation", "bucket-writes", "lambda-requests")
    return dict.fromkeys(once, images) | {"queue-requests": 3 * images}


def usage_of_storage(
    engine: str, hours: float, gigabytes: float, kept_hours: float
) -> dict[str, float]:
    """Return what lasts: the shard of a camera for `hours`, video for as long as it is kept."""
    stored = {"video-stored": gigabytes * kept_hours / HOURS_OF_MONTH}
    return stored | ({"shard": hours} if engine == STREAM_PROCESSOR else {})
