"""The object that an event is about: its ETag, the SHA-256 of its bytes, who put it there."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.people.ownership import find_person
from whosthere.people.photo_keys import parse_photo_key
from whosthere.people.photo_store import read_photo
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.review_queue import GONE

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

MOST_BYTES = 15_728_640  # no picture of ours is larger; a photo of that size enrolls nobody
# Metadata of an object that `page` or `command` put where it lies.
VIA = "decided-by"


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was read: its ETag, the SHA-256 of its bytes, and who moved it there."""

    etag: str
    sha256: str
    via: str


def read_object(review: Review, key: str) -> Found | None:
    """Read the photo or picture under a key; None if there is none."""
    files, photo = review.files, parse_photo_key(key)
    try:
        if photo:  # read already
            head = files.s3.head_object(Bucket=files.bucket, Key=key)
            person = find_person(review.table, photo.name, review.photos.salt)
            row = read_photo(review.table, person, key) if person else None
            sha256 = row.sha256 if row and row.etag == head["ETag"] else ""
            return Found(head["ETag"], sha256, _via(head["Metadata"], key))
        answer: GetObjectOutputTypeDef = files.s3.get_object(Bucket=files.bucket, Key=key)
        content = answer["Body"].read(MOST_BYTES)
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return None
        raise
    digest = hashlib.sha256(content).hexdigest()
    return Found(answer["ETag"], digest, _via(answer["Metadata"], key))


def via_metadata(via: str, key: str) -> dict[str, str]:
    """Return what an object says of who put it under its key.

    S3 copies metadata along with an object, so it counts for this key only.
    """
    return {VIA: f"{via} {hashlib.sha256(key.encode()).hexdigest()}"}


def _via(metadata: Mapping[str, str], key: str) -> str:
    """Return who put an object under its key; empty if S3 alone was asked to."""
    value = metadata.get(VIA, "")
    via = value.partition(" ")[0]
    return via if value == via_metadata(via, key)[VIA] else ""
