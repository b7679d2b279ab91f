"""Enroll people as an owner would: put photos under `people/<name>/` and wait for the result.

Before the stack is deployed, the judge that the deployed function runs tries each photo here.
"""

import time
from collections.abc import Iterator, Sequence

from cli.demo.photos import People, PhotoFile, RefusedPhoto, find_refused
from cli.errors import VerbError
from cli.setup.laptop_stack import Stack, table_of
from local.laptop import LaptopAWS
from whosthere.dynamodb import Row, Table
from whosthere.errors import PhotoRefusedError
from whosthere.people import photos
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photos import PeopleCollection

ENROLL_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.2
CONTENT_TYPES = {".png": "image/png"}
TRIAL = "whosthere-demo-trial"  # a bucket and a collection that exist only during the check


def check_photos(laptop: LaptopAWS, people: People) -> list[RefusedPhoto]:
    """Try to enroll each photo before anything is deployed, and return the refused ones.

    A bad photo is found in a second, not a minute. Raises InputError if a person has no other.
    """
    s3, rekognition = laptop.client("s3"), laptop.client("rekognition")
    trial = PeopleCollection(s3, rekognition, TRIAL, TRIAL)
    s3.create_bucket(Bucket=TRIAL)
    rekognition.create_collection(CollectionId=TRIAL)
    try:
        return find_refused(people, lambda _name, photo: _try(trial, photo))
    finally:
        rekognition.delete_collection(CollectionId=TRIAL)
        s3.delete_bucket(Bucket=TRIAL)


def _try(trial: PeopleCollection, photo: PhotoFile) -> str | None:
    """Return why a photo cannot be enrolled; None if it can."""
    content = photo.path.read_bytes()
    trial.s3.put_object(Bucket=trial.bucket, Key=photo.key, Body=content)
    try:
        photos.enroll(trial, photo.key, content, "nobody")
    except PhotoRefusedError as error:
        return str(error)
    finally:
        trial.s3.delete_object(Bucket=trial.bucket, Key=photo.key)
    return None


def enroll_people(laptop: LaptopAWS, stack: Stack, people: People) -> list[RefusedPhoto]:
    """Put every photo into the bucket, wait for its row and return the refused photos.

    Raises InputError if all photos of a person are refused.
    """
    s3 = laptop.client("s3")
    for name, files in people.items():
        for photo in files:
            s3.put_object(
                Bucket=stack.bucket,
                Key=f"{PREFIX}{name}/{photo.key}",
                Body=photo.path.read_bytes(),
                ContentType=CONTENT_TYPES.get(photo.path.suffix.lower(), "image/jpeg"),
            )
    reasons = _wait_for_rows(laptop, stack, people)
    return find_refused(people, lambda name, photo: reasons[name, photo.key])


def _wait_for_rows(
    laptop: LaptopAWS, stack: Stack, people: People
) -> dict[tuple[str, str], str | None]:
    """Wait for the row of each photo; per name and photo the reason of a refusal, or None."""
    wanted = {(name, photo.key) for name, files in people.items() for photo in files}
    table = table_of(laptop, stack)
    until = time.monotonic() + ENROLL_TIMEOUT_SECONDS
    while True:
        known = dict(_photo_rows(table))
        if wanted <= known.keys():
            return known
        if time.monotonic() > until:
            late = ", ".join(sorted(f"{name}/{key}" for name, key in wanted - known.keys()))
            raise VerbError(
                f"not enrolled within {ENROLL_TIMEOUT_SECONDS} s: {late}; the function "
                "reconcile_object says why in the log named below"
            )
        time.sleep(POLL_SECONDS)


def _photo_rows(table: Table) -> Iterator[tuple[tuple[str, str], str | None]]:
    rows: Sequence[Row] = table.scan(ConsistentRead=True)["Items"]
    for row in rows:
        if row["sk"].startswith("photo#") and "status" in row:
            name, _, file = str(row["key"]).removeprefix(PREFIX).partition("/")
            yield (name, file), row.get("reason", "") if row["status"] == "refused" else None
