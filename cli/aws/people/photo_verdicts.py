"""What became of photos, in words and as JSON, and the wait for it."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from cli.aws.people.photo_files import PhotoUpload
from cli.aws.target import Target
from whosthere.dynamodb import Table
from whosthere.people import photo_store, store
from whosthere.people.differences import send_keys
from whosthere.people.ownership import find_person
from whosthere.people.photo_keys import PREFIX
from whosthere.people.photo_store import PhotoRow
from whosthere.people.store import NAMELESS

POLL_SECONDS = 0.5
# S3 may tell EventBridge nothing in a bucket's first minutes, so the keys are sent once more.
SEND_AFTER_SECONDS = 20
# Without any verdict. A photo that was somebody else's waits a minute for the others to move.
GIVE_UP_SECONDS = 180


def wait_for_verdicts(
    target: Target, name: str, uploads: Sequence[PhotoUpload]
) -> Iterator[tuple[PhotoUpload, PhotoRow | None]]:
    """Yield each photo once it is judged, with its row; None if it takes too long."""
    waiting = {upload.key: upload for upload in uploads}
    last, is_sent = time.monotonic(), False
    while waiting:
        for upload, row in _judged(target, name, waiting):
            del waiting[upload.key]
            last = time.monotonic()
            yield upload, row
        waited = time.monotonic() - last
        if waited > SEND_AFTER_SECONDS and not is_sent:
            send_keys(target.session.client("sqs"), target.output("ObjectsQueueUrl"), waiting)
            is_sent = True
        if waited > GIVE_UP_SECONDS:
            yield from ((upload, None) for upload in waiting.values())
            return
        if waiting:
            time.sleep(POLL_SECONDS)


def _judged(
    target: Target, name: str, waiting: dict[str, PhotoUpload]
) -> list[tuple[PhotoUpload, PhotoRow]]:
    table = target.table()
    person = find_person(table, name, target.id)
    rows = photo_store.read_photos(table, person) if person else []
    return [
        (waiting[row.key], row)
        for row in rows
        if row.key in waiting and row.etag == waiting[row.key].etag
    ]


def photo_json(table: Table, person: str, row: PhotoRow) -> dict[str, Any]:
    """Return what is said of a photo, for machines."""
    alike = alike_name(table, person, row)
    return {
        "key": row.key,
        "status": row.status,
        "reason": row.reason or None,
        "advice": row.advice or None,
        "looksLike": {"name": alike[0], "similarity": alike[1]} if alike else None,
    }


def photo_text(photo: dict[str, Any]) -> str:
    """Return what is said of a photo, in words, from its JSON."""
    key = photo["key"].removeprefix(PREFIX)
    if photo["reason"]:
        return f"{key}: {photo['status']}: {photo['reason']}"
    parts = [photo["status"]]
    if photo["advice"]:
        parts.append(f"but {photo['advice']}")
    if alike := photo["looksLike"]:
        parts.append(alike_text(alike))
    return f"{key}: {', '.join(parts)}"


def alike_text(alike: dict[str, Any]) -> str:
    """Return whom somebody looks like, and how much."""
    return f"looks like {alike['name']} ({alike['similarity']:.0f} %)"


def alike_name(table: Table, person: str, row: PhotoRow) -> tuple[str, float] | None:
    """Return the name of whom a photo resembles, and how much; None if that is nobody now."""
    if row.alike is None or store.current_id(table, row.alike.person) == person:
        return None
    name = store.name_of(table, row.alike.person)
    return None if name == NAMELESS else (name, row.alike.similarity)
