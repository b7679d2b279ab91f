"""Differences between `review/` in S3 and the rows of strangers: an event may come never.

A lifecycle rule deletes pictures too, and without its event nobody can tell that from a decision.
So an ignored or named stranger without a picture is left as the owner decided.
"""

from typing import TYPE_CHECKING

from whosthere.clock import now_ms
from whosthere.people.differences import MOST_OBJECTS, find_differences, send_found
from whosthere.people.ownership import People
from whosthere.strangers.look_alikes import find_changed
from whosthere.strangers.review_queue import (
    FACTS,
    PICTURE,
    REVIEW,
    folder_of,
    status_of_key,
    stranger_of,
)
from whosthere.strangers.store import expiring, listed
from whosthere.strangers.stranger import DISCARDED, MERGED, PENDING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_sqs import SQSClient


def send_differences(people: People, sqs: "SQSClient", queue_url: str, logger: "Logger") -> int:
    """Send the keys of photos and pictures that no row agrees with; return how many were sent."""
    finders = (find_differences, find_moved, find_changed, find_expiring)
    return send_found(finders, people, sqs, queue_url, logger)


def find_moved(people: People) -> list[str]:
    """Return a key of each stranger whose status is not what S3 says, sorted."""
    keys, is_whole = _keys_by_stranger(people)
    statuses = listed(people.table)
    differing = []
    for stranger in keys.keys() | statuses.keys():
        own, status = keys.get(stranger, []), statuses.get(stranger)
        if not stranger:
            continue  # whose picture it may be is looked for when it is missed
        if status is None:  # an earlier version listed nobody
            differing.append(min(own))
            continue
        expected = {status}
        if status == MERGED:  # a picture would part them; other files say nothing
            own, expected = [key for key in own if key.endswith(PICTURE)], set()
        folders = {status_of_key(key) for key in own}
        is_gone = is_whole and status == PENDING and not own
        if folders - expected or is_gone or status == DISCARDED:
            differing.append(min(own, default=f"{folder_of(PENDING, stranger)}{FACTS}"))
    return sorted(differing)


def find_expiring(people: People) -> list[str]:
    """Return a key of each decided stranger whose row expires soon: without it his faces stay."""
    return [f"{folder_of(PENDING, one)}{FACTS}" for one in expiring(people.table, now_ms())]


def _keys_by_stranger(people: People) -> tuple[dict[str, list[str]], bool]:
    """Return the keys in the folders of each stranger, and whether these are all."""
    pages = people.s3.get_paginator("list_objects_v2").paginate(
        Bucket=people.bucket, Prefix=REVIEW, PaginationConfig={"MaxItems": MOST_OBJECTS}
    )
    found: dict[str, list[str]] = {}
    for page in pages:
        for item in page.get("Contents", ()):
            if status_of_key(item["Key"]):
                found.setdefault(stranger_of(item["Key"]) or "", []).append(item["Key"])
    return found, pages.resume_token is None
