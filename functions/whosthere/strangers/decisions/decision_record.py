"""The record of a decision in `decisions/`."""

import json

from whosthere.clock import iso
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.photo_store import read_photo
from whosthere.strangers.decisions.changed_object import Found
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.stranger import DISCARDED, IGNORED, MERGED, NAMED, PENDING, Stranger

EFFECTS = {
    PENDING: "waits in the queue again",
    IGNORED: "no further alert",
    DISCARDED: "forgotten",
    MERGED: "another stranger's from now on",
}


def write_decision(
    review: Review, before: Stranger, after: Stranger, event: ObjectEvent, found: Found | None
) -> None:
    """Write down who decided what, when and on which pictures: a line of JSON in `decisions/`.

    A retry writes the same object. Persons stand there by their ids.
    """
    line = {
        "at": iso(after.decided_ms),
        "by": event.requester,
        "via": (found.via if found else "") or "s3",
        "stranger": after.id,
        "decision": after.status,
        "before": before.status,
        "person": after.person or None,
        "pictures": [picture.sha256 for picture in after.pictures],
        "effect": _effect(review, after),
    }
    files = review.files
    files.s3.put_object(
        Bucket=files.bucket,
        Key=f"decisions/{after.id}-{after.decisions:04d}.json",
        Body=f"{json.dumps(line, ensure_ascii=False)}\n".encode(),
        ContentType="application/json",
    )


def _effect(review: Review, stranger: Stranger) -> str:
    """Return what a decision did, in words."""
    if stranger.status != NAMED:
        return EFFECTS[stranger.status]
    told = []
    for key in stranger.elsewhere:
        row = read_photo(review.table, stranger.person, key)
        told.append(
            "a photo is enrolled" if row and row.face_id else f"{row.reason if row else ''}"
        )
    return "; ".join(filter(None, told))
