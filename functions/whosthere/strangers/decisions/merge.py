"""Pictures that were moved into another stranger's folder: two strangers are one, or one is two."""

from collections.abc import Mapping
from dataclasses import replace

from whosthere.dynamodb import RowChangedError, WriteRequest
from whosthere.ingest.sqs import ObjectEvent
from whosthere.strangers import store
from whosthere.strangers.collection import delete_faces, index_face
from whosthere.strangers.counts import count_merged
from whosthere.strangers.decisions.continued_visits import continue_visits
from whosthere.strangers.decisions.decision_record import write_decision
from whosthere.strangers.decisions.places import Places
from whosthere.strangers.decisions.review import Review, settings_at
from whosthere.strangers.review_queue import stranger_of
from whosthere.strangers.stranger import MERGED, PENDING, Picture, Stranger, best_first


def moved_pictures(review: Review, stranger: Stranger, places: Places) -> dict[str, str]:
    """Return the pictures that were moved into another stranger's folder: key by SHA-256."""
    at_home = set(places.own.values())
    moved: dict[str, str] = {}
    for key, etag in places.elsewhere.items():
        target = stranger_of(key)
        if target and target != stranger.id and etag not in at_home:
            moved |= {one.sha256: key for one in stranger.pictures if one.etag == etag}
    return moved


def hand_over(
    review: Review, before: Stranger, moved: Mapping[str, str], event: ObjectEvent
) -> str:
    """Give pictures to the stranger in whose folder they lie; the last one takes all along.

    So two strangers who are one are merged, and one who is two is split.
    """
    for sha256, key in moved.items():
        picture = next(one for one in before.pictures if one.sha256 == sha256)
        target = stranger_of(key) or before.id
        left = tuple(one for one in before.pictures if one.sha256 != sha256)
        others = {one: etag for one, etag in before.elsewhere.items() if one != key}
        # A photo that names goes along with its picture.
        along = {one: tag for one, tag in others.items() if tag == picture.etag or not left}
        _receive(review, target, picture, key, along)
        elsewhere = {one: etag for one, etag in others.items() if one not in along}
        first = before.face_id if before.face_id != picture.face_id else ""
        after = replace(before, pictures=left, elsewhere=elsewhere, face_id=first)
        delete_faces(review.files, before.face_ids - after.face_ids)
        if not left:
            now_ms, decisions = review.now_ms(), before.decisions + 1
            after = replace(after, status=MERGED, merged_into=target, picture_key="")
            after = replace(after, decided_ms=now_ms, decisions=decisions, unsettled_ms=0)
            write_decision(review, before, after, event, None)
            if other := store.who_is(review.table, target):
                gap_ms = settings_at(review, before).gap_ms
                continue_visits(review, before, other.person or other.id, gap_ms)
        counts = [] if left else _counts(review, before, target, 1)
        store.save_stranger(review.table, before, after, also=counts)
        before = replace(after, version=before.version + 1)
        store.remove_places(review.table, [key])
        if before.status == MERGED:
            return MERGED
    raise RowChangedError  # look at what is left


def _receive(
    review: Review, stranger: str, picture: Picture, key: str, elsewhere: Mapping[str, str]
) -> None:
    """Add a picture to a stranger, who is new if there is no row of that id.

    `elsewhere` are the photos that go along with it.
    """
    for photo in elsewhere:
        store.note_place(review.table, photo, stranger)
    before = store.read_stranger(review.table, stranger)
    received = {one.sha256: one for one in before.pictures} if before else {}
    if picture.sha256 not in received:
        file, face_id = key.rpartition("/")[2], _index(review, stranger, key)
        received[picture.sha256] = replace(picture, file=file, face_id=face_id)
    known = before or Stranger(
        id=stranger,
        cameras=(picture.camera,),
        first_ms=picture.captured_ms,
        last_ms=picture.captured_ms,
        sightings=0,
        visits=0,
        status=PENDING,
        face_id=received[picture.sha256].face_id,
    )
    after = replace(
        known,
        status=PENDING if known.status == MERGED else known.status,
        merged_into="",
        pictures=best_first(received.values()),
        picture_key=known.picture_key or key,
        elsewhere={**known.elsewhere, **elsewhere},
        unsettled_ms=0,
    )
    counts = _counts(review, known, known.merged_into, -1) if known.status == MERGED else []
    store.save_stranger(review.table, before, after, new_picture=picture.sha256, also=counts)


def _counts(review: Review, stranger: Stranger, other: str, sign: int) -> list[WriteRequest]:
    """Return what counts the visits of a merged stranger as another's, or with -1 no longer."""
    found = store.read_stranger(review.table, other)
    return count_merged(found, stranger, sign) if found else []


def _index(review: Review, stranger: str, key: str) -> str:
    """Return the id of the face in a picture, added to the strangers' collection."""
    files = review.files
    content = files.s3.get_object(Bucket=files.bucket, Key=key)["Body"].read()
    return index_face(files, content, stranger)
