"""Differences between `people/` in S3 and the table: an event may come late, or never.

EventBridge may miss what S3 does in the first five minutes after it is switched on (S3 user
guide, "Enabling Amazon EventBridge"). So nothing depends on one event: who opens or sweeps
sessions looks, and sends the keys that differ to the queue that the events go to.
"""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from whosthere.dynamodb import Table
from whosthere.errors import loggable
from whosthere.people import store
from whosthere.people.store import PREFIX, PhotoRow

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Bounds of one look. The next one goes on with other persons, but lists the same objects.
MOST_OBJECTS = 10_000
MOST_PERSONS = 300
MOST_SENT = 100


@dataclass(frozen=True, slots=True)
class People:
    """The photos of a stack: its table and bucket, and what person ids are made with."""

    table: Table
    s3: "S3Client"
    bucket: str
    salt: str


def send_differences(people: People, sqs: "SQSClient", queue_url: str, logger: "Logger") -> int:
    """Send the keys whose rows do not say what S3 holds; return how many were sent.

    A failure is logged only: the next look tries again.
    """
    try:
        keys = find_differences(people)[:MOST_SENT]
        for key in keys:
            # As much of S3's event as whosthere.ingest.sqs reads.
            event = json.dumps({"detail": {"object": {"key": key}}, "region": "", "account": ""})
            sqs.send_message(QueueUrl=queue_url, MessageBody=event)
    except Exception as error:  # nothing here is a reason to fail a session or the sweep
        logger.warning("people not compared", extra=loggable(error))
        return 0
    return len(keys)


def find_differences(people: People) -> list[str]:
    """Return the keys of photos whose rows do not say what S3 holds, sorted.

    That is a photo without a row, of another content, or with replaced faces that are still to
    be deleted; and a row without a photo.
    """
    listed, is_whole = _listed(people)
    photos = _by_person(people, listed)
    persons = sorted(photos.keys() | set(store.persons(people.table)))
    if len(persons) > MOST_PERSONS:  # others at every look
        persons = random.sample(persons, MOST_PERSONS)
    differing: set[str] = set()
    for person in persons:
        rows = {row.key: row for row in store.read_photos(people.table, person)}
        own = photos.get(person, {})
        differing |= {key for key, etag in own.items() if _differs(etag, rows.get(key))}
        if is_whole:
            differing |= rows.keys() - own.keys()
    return sorted(differing)


def refused_photos(people: People) -> Iterator[tuple[str, str]]:
    """Yield each key below `people/` that enrolls nobody, with the reason."""
    listed, _ = _listed(people)
    for key in listed:
        # An object that ends in a slash is a folder as S3's console makes it.
        if not key.endswith("/") and store.parse_photo_key(key) is None:
            yield key, store.MISPLACED
    for person, own in _by_person(people, listed).items():
        for row in store.read_photos(people.table, person):
            if row.reason and own.get(row.key) == row.etag:
                yield row.key, row.reason


def _differs(etag: str, row: PhotoRow | None) -> bool:
    return row is None or row.etag != etag or bool(row.orphaned_faces)


def _listed(people: People) -> tuple[dict[str, str], bool]:
    """Return the ETag of each object below `people/`, and whether these are all."""
    pages = people.s3.get_paginator("list_objects_v2").paginate(
        Bucket=people.bucket, Prefix=PREFIX, PaginationConfig={"MaxItems": MOST_OBJECTS}
    )
    listed = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}
    return listed, pages.resume_token is None


def _by_person(people: People, listed: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for key, etag in listed.items():
        if photo := store.parse_photo_key(key):
            found.setdefault(store.person_id(photo.name, people.salt), {})[key] = etag
    return found
