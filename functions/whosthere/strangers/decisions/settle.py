"""Make a stranger's row and collections say what the places of the pictures say."""

from collections.abc import Mapping
from dataclasses import replace

from whosthere.dynamodb import RowChangedError
from whosthere.errors import TryAgainError
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.ownership import find_person
from whosthere.people.photo_keys import parse_photo_key
from whosthere.strangers import store
from whosthere.strangers.collection import delete_faces
from whosthere.strangers.decisions.changed_object import Found
from whosthere.strangers.decisions.continued_visits import continue_visits
from whosthere.strangers.decisions.decision_record import write_decision
from whosthere.strangers.decisions.merge import hand_over, moved_pictures
from whosthere.strangers.decisions.places import (
    Places,
    find_places,
    misplaced,
    note_copies,
    picture_key,
    tidy,
)
from whosthere.strangers.decisions.review import Review, save, settings_at, wait_until
from whosthere.strangers.review_queue import objects_of
from whosthere.strangers.stranger import DISCARDED, IGNORED, MERGED, NAMED, Stranger

UNDO_MS = 600_000
ATTEMPTS = 8
UNKNOWN, FORGOTTEN = "unknown", "forgotten"


def settle(
    review: Review,
    stranger: str,
    event: ObjectEvent,
    found: Found | None,
    elsewhere: Mapping[str, str],
) -> str:
    """Make a stranger's row say what his pictures say; return his status."""
    for _ in range(ATTEMPTS):
        before = store.read_stranger(review.table, stranger)
        if before is None or before.status == MERGED:
            return UNKNOWN
        places = find_places(review, replace(before, elsewhere={**before.elsewhere, **elsewhere}))
        try:
            status = places.status_of(before)
            if _is_over(review, before, status):
                return _forget(review, before)
            if status is None:
                return _settle_gone(review, before, event)
            if before.status == NAMED != status:  # the photo may have got another name
                note_copies(review, before, {*places.own, *places.elsewhere})
            return _settle_found(review, before, status, places, event, found)
        except RowChangedError:
            continue
    raise TryAgainError("the stranger's row keeps changing")


def _is_over(review: Review, before: Stranger, status: str | None) -> bool:
    """Return whether a decision was made so long ago, and nothing else now, that its row goes."""
    is_same = status in (None, before.status) and before.status in (IGNORED, NAMED)
    return is_same and store.is_expiring(before, review.now_ms())


def _settle_found(
    review: Review,
    before: Stranger,
    status: str,
    places: Places,
    event: ObjectEvent,
    found: Found | None,
) -> str:
    if moved := moved_pictures(review, before, places):
        return hand_over(review, before, moved, event)
    person = ""
    if status == NAMED and (photo := parse_photo_key(places.names[-1])):
        person = find_person(review.table, photo.name, review.photos.salt) or before.person
    after = replace(
        before,
        status=status,
        person=person,
        elsewhere=places.elsewhere,
        picture_key=picture_key(before, places),
    )
    wrong = misplaced(after, places)
    after = replace(after, unsettled_ms=(before.unsettled_ms or review.now_ms()) if wrong else 0)
    settings = settings_at(review, before)
    if (status, person) != (before.status, before.person):
        now_ms = review.now_ms()
        after = replace(after, decided_ms=now_ms, decisions=before.decisions + 1)
        write_decision(review, before, after, event, found)
        if person:
            continue_visits(review, after, person, settings.gap_ms)
    if after != before or not before.version:
        after = save(review, before, after)
    if status == DISCARDED:
        wait_until(review, after.decided_ms + UNDO_MS)
        return _forget(review, after)
    if wrong:
        # Not at once: who moves a folder object by object would find the rest gone.
        wait_until(review, after.unsettled_ms + settings.discard_delay_ms)
        tidy(review, after, wrong)
        save(review, after, replace(after, unsettled_ms=0))
    return status


def _settle_gone(review: Review, before: Stranger, event: ObjectEvent) -> str:
    """Forget a stranger of whom no picture is left, unless one turns up in time."""
    if event.is_expiry:
        # No decision: what the owner has decided goes on without a picture.
        return before.status if before.status in (IGNORED, NAMED) else _forget(review, before)
    delay_ms = settings_at(review, before).discard_delay_ms
    if not before.unsettled_ms:
        before = save(review, before, replace(before, unsettled_ms=review.now_ms()))
    wait_until(review, before.unsettled_ms + delay_ms)
    note_copies(review, before, set())
    if before.status != DISCARDED:
        decisions = before.decisions + 1
        after = replace(before, status=DISCARDED, decided_ms=review.now_ms(), decisions=decisions)
        write_decision(review, before, after, event, None)
        before = save(review, before, after)
    return _forget(review, before)


def _forget(review: Review, stranger: Stranger) -> str:
    """Remove all that is kept of a stranger and of who was merged into that one.

    The faces and the pictures, at last the rows.
    """
    files = review.files
    if stranger.status != DISCARDED:  # from here on no worker adds a picture
        stranger = save(review, stranger, replace(stranger, status=DISCARDED))
    delete_faces(files, stranger.face_ids)
    for key in objects_of(files, stranger.id):
        files.s3.delete_object(Bucket=files.bucket, Key=key)
    for other in store.merged_with(review.table, stranger.id):  # his face is known by that id too
        _forget(review, other)
    store.remove_stranger(review.table, stranger)
    return FORGOTTEN
