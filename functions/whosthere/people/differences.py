"""Differences between `people/` in S3 and the table: an event may come late, or never.

EventBridge may miss what S3 does in the first five minutes after it is switched on (S3 user
guide, "Enabling Amazon EventBridge"). So nothing depends on one event: who opens or sweeps
sessions looks, and sends the keys that differ to the queue that the events go to.
"""

import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from whosthere.errors import loggable
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.collections import read_collections
from whosthere.people.ownership import People
from whosthere.people.person_names import folded_name
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photo_store import PhotoRow
from whosthere.people.store import Person

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_sqs import SQSClient

# Bounds of one look. The next one goes on with other persons, but lists the same objects.
MOST_OBJECTS = 10_000
MOST_PERSONS = 300
MOST_SENT = 100


def send_found(
    finders: Iterable[Callable[[People], list[str]]],
    people: People,
    sqs: "SQSClient",
    queue_url: str,
    logger: "Logger",
) -> int:
    """Send the keys that each finder returns; return how many were sent.

    A failure is logged only: the next look tries again.
    """
    sent = 0
    for find in finders:
        try:
            keys = find(people)[:MOST_SENT]
            send_keys(sqs, queue_url, keys)
            sent += len(keys)
        except Exception as error:  # nothing here is a reason to fail a session or the sweep
            logger.warning("objects not compared", extra=loggable(error))
    return sent


def send_keys(sqs: "SQSClient", queue_url: str, keys: Iterable[str]) -> None:
    """Send keys to the queue that S3's events go to, to be compared with their rows."""
    for key in keys:
        # As much of S3's event as whosthere.ingest.sqs reads.
        event = json.dumps({"detail": {"object": {"key": key}}, "region": "", "account": ""})
        sqs.send_message(QueueUrl=queue_url, MessageBody=event)


def find_differences(people: People) -> list[str]:
    """Return the keys of photos whose rows do not say what S3 holds, sorted.

    That is a photo without a row, of another content, not in each collection, or with replaced
    faces that are still to be deleted; and a row without a photo.
    """
    listed, is_whole = list_photos(people)
    everybody = store.read_people(people.table)
    collections = read_collections(people.table).all
    photos = _by_person(everybody, listed)
    # Who has no row yet has no photo with a row.
    differing = set(photos.pop("", {}))
    persons = [person.id for person in everybody if not person.merged_into]
    if len(persons) > MOST_PERSONS:  # others at every look
        persons = random.sample(persons, MOST_PERSONS)
    for person in persons:
        rows = {row.key: row for row in photo_store.read_photos(people.table, person)}
        own = photos.get(person, {})
        differing |= {
            key for key, etag in own.items() if _differs(etag, rows.get(key), collections)
        }
        if is_whole:
            differing |= rows.keys() - own.keys()
    return sorted(differing)


def refused_photos(people: People) -> Iterator[tuple[str, str]]:
    """Yield each key below `people/` that enrolls nobody, with the reason."""
    listed, _ = list_photos(people)
    for key in listed:
        # An object that ends in a slash is a folder as S3's console makes it.
        if not key.endswith("/") and (reason := photo_keys.why_no_photo(key)):
            yield key, reason
    photos = _by_person(store.read_people(people.table), listed)
    photos.pop("", None)
    for person, own in photos.items():
        for row in photo_store.read_photos(people.table, person):
            if row.reason and own.get(row.key) == row.etag:
                yield row.key, row.reason


def _differs(etag: str, row: PhotoRow | None, collections: Iterable[int]) -> bool:
    if row is None or not row.is_of(etag):
        return True
    return bool(row.orphaned_faces or row.lacking(collections))


def list_photos(people: People) -> tuple[dict[str, str], bool]:
    """Return the ETag of each object below `people/`, and whether these are all."""
    pages = people.s3.get_paginator("list_objects_v2").paginate(
        Bucket=people.bucket, Prefix=PREFIX, PaginationConfig={"MaxItems": MOST_OBJECTS}
    )
    listed = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}
    return listed, pages.resume_token is None


def _by_person(persons: Sequence[Person], listed: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the photos of each person, and under an empty id those of names without a row."""
    ids = {
        folded_name(name): person.id
        for person in reversed(persons)  # the first of a name
        for name in (person.name, *person.folders)
        if name
    }
    found: dict[str, dict[str, str]] = {}
    for key, etag in listed.items():
        if photo := photo_keys.parse_photo_key(key):
            found.setdefault(ids.get(folded_name(photo.name), ""), {})[key] = etag
    return found
