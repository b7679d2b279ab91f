"""What the owner decides about strangers: where their pictures lie in S3 is the decision.

S3's events come late, twice and out of order, so an event only says where to look. A picture is
known by the SHA-256 of its bytes, whatever its key. Of several places the first of these counts:

    people/<name>/                      named: the person's, from the first visit on
    review/ignored/                     ignored: no further alert, still counted
    review/pending/, review/named/      waits in the queue; named/ keeps pictures of the named
    review/discarded/                   discarded, for good after ten minutes
    nowhere                             the same after `discardDelaySeconds`, so that moving a
                                        picture is one decision in whatever order events come
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere import settings as _settings
from whosthere.clock import iso
from whosthere.dynamodb import RowChangedError, Table, WriteRequest
from whosthere.errors import DueLaterError, TryAgainError
from whosthere.ingest.sqs import ObjectEvent
from whosthere.names import STRANGER_PREFIX
from whosthere.people.ownership import find_person
from whosthere.people.reconcile import PhotoReconciler
from whosthere.people.store import PREFIX as PEOPLE_PREFIX
from whosthere.people.store import parse_photo_key, read_photo
from whosthere.session_store import latest_session
from whosthere.settings import Settings
from whosthere.strangers import store
from whosthere.strangers.collection import delete_faces, index_face
from whosthere.strangers.look_alikes import LookAlikes, person_of_key, reconcile_look_alike
from whosthere.strangers.review_queue import (
    FACTS,
    GONE,
    PICTURE,
    REVIEW,
    StrangerFiles,
    copy,
    folder_of,
    move,
    objects_of,
    status_of_key,
    stranger_of,
)
from whosthere.strangers.store import (
    DISCARDED,
    IGNORED,
    MERGED,
    NAMED,
    PENDING,
    Picture,
    Stranger,
)
from whosthere.visits.store import VisitLocation, read_current, save_visit
from whosthere.visits.visit import QUIET, SENT

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

UNDO_MS = 600_000
ATTEMPTS = 8
MOST_BYTES = 15_728_640  # no picture of ours is larger; a photo of that size enrolls nobody
UNKNOWN, FORGOTTEN = "unknown", "forgotten"
# Metadata of an object that `page` or `command` put where it lies.
VIA = "decided-by"
EFFECTS = {
    PENDING: "waits in the queue again",
    IGNORED: "no further alert",
    DISCARDED: "forgotten",
    MERGED: "another stranger's from now on",
}


@dataclass(frozen=True, slots=True)
class Review:
    """What a decision concerns: rows, the strangers' files, the people's photos and look-alikes."""

    table: Table
    files: StrangerFiles
    photos: PhotoReconciler
    now_ms: Callable[[], int]
    look_alikes: LookAlikes


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was read: its ETag, the SHA-256 of its bytes, and who moved it there."""

    etag: str
    sha256: str
    via: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where pictures of a stranger lie now.

    `own` are those in his own folders, `elsewhere` others: the ETags by their keys.
    """

    own: Mapping[str, str]
    elsewhere: Mapping[str, str]

    def status_of(self, stranger: Stranger) -> str | None:
        """Return what they say of the stranger; None if there are none.

        Of a stranger who never had a picture the facts of the sighting count.
        """
        kind = PICTURE if stranger.pictures else FACTS
        said = {status_of_key(key) for key in (*self.own, *self.elsewhere) if key.endswith(kind)}
        if any(key.startswith(PEOPLE_PREFIX) for key in self.elsewhere):
            return NAMED
        if IGNORED in said:
            return IGNORED
        if said & {PENDING, NAMED}:
            return PENDING
        return DISCARDED if DISCARDED in said else None

    @property
    def names(self) -> list[str]:
        """Return the keys of photos that name the stranger."""
        return sorted(key for key in self.elsewhere if key.startswith(PEOPLE_PREFIX))


def reconcile_object(review: Review, event: ObjectEvent) -> str:
    """Make rows and collections agree with what lies under the event's key; say what was done."""
    if person_of_key(event.key):
        return reconcile_look_alike(review.look_alikes, event.key)
    done = review.photos.reconcile_photo(event.key)
    if parse_photo_key(event.key) is None and status_of_key(event.key) is None:
        return done
    found = _read(review, event.key)
    due = []
    for stranger in _strangers_at(review, event.key, found):
        elsewhere = {}
        if found and stranger_of(event.key) != stranger:
            store.note_place(review.table, event.key, stranger)
            elsewhere = {event.key: found.etag}
        try:
            done = _settle(review, stranger, event, found, elsewhere)
        except DueLaterError as error:  # of this one only
            due.append(error)
    if due:
        raise min(due, key=attrgetter("wait_ms"))
    if found is None:  # until now it said whom the event concerns
        store.remove_places(review.table, [event.key])
    return done


def _read(review: Review, key: str) -> Found | None:
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


def _strangers_at(review: Review, key: str, found: Found | None) -> list[str]:
    """Return the strangers whom a key concerns: whose picture lies there, or did.

    Last the one in whose folder it lies, who may be given it by another.
    """
    concerned = {store.stranger_of_place(review.table, key), stranger_of(key)}
    if found and found.sha256:
        concerned.add(store.stranger_of_picture(review.table, found.sha256))
    ids = sorted(stranger for stranger in concerned if stranger)
    return sorted(ids, key=lambda stranger: stranger == stranger_of(key))


def _settle(
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
        places = _look(review, replace(before, elsewhere={**before.elsewhere, **elsewhere}))
        try:
            status = places.status_of(before)
            if _is_over(review, before, status):
                return _forget(review, before)
            if status is None:
                return _settle_gone(review, before, event)
            if before.status == NAMED != status:  # the photo may have got another name
                _note_copies(review, before, {*places.own, *places.elsewhere})
            return _settle_found(review, before, status, places, event, found)
        except RowChangedError:
            continue
    raise TryAgainError("the stranger's row keeps changing")


def _is_over(review: Review, before: Stranger, status: str | None) -> bool:
    """Return whether a decision was made so long ago, and nothing else now, that its row goes."""
    is_same = status in (None, before.status) and before.status in (IGNORED, NAMED)
    return is_same and store.is_expiring(before, review.now_ms())


def _look(review: Review, stranger: Stranger) -> Places:
    """Return where pictures of a stranger lie."""
    own = objects_of(review.files, stranger.id)
    etags = {picture.etag for picture in stranger.pictures}
    elsewhere = {
        key: etag
        for key, etag in stranger.elsewhere.items()
        # What was handed over is the other stranger's, in whose folder it lies.
        if (etag in etags or not stranger_of(key)) and _etag(review, key) == etag
    }
    return Places(own, elsewhere)


def _etag(review: Review, key: str) -> str:
    try:
        return review.files.s3.head_object(Bucket=review.files.bucket, Key=key)["ETag"]
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return ""
        raise


def _settle_found(
    review: Review,
    before: Stranger,
    status: str,
    places: Places,
    event: ObjectEvent,
    found: Found | None,
) -> str:
    if moved := _moved(review, before, places):
        return _hand_over(review, before, moved, event)
    person = ""
    if status == NAMED and (photo := parse_photo_key(places.names[-1])):
        person = find_person(review.table, photo.name, review.photos.salt) or before.person
    after = replace(
        before,
        status=status,
        person=person,
        elsewhere=places.elsewhere,
        picture_key=_picture_key(before, places),
    )
    wrong = _misplaced(after, places)
    after = replace(after, unsettled_ms=(before.unsettled_ms or review.now_ms()) if wrong else 0)
    settings = _settings_at(review, before)
    if (status, person) != (before.status, before.person):
        now_ms = review.now_ms()
        after = replace(after, decided_ms=now_ms, decisions=before.decisions + 1)
        _write_decision(review, before, after, event, found)
        if person:
            _continue_visits(review, after, person, settings.gap_ms)
    if after != before or not before.version:
        after = _saved(review, before, after)
    if status == DISCARDED:
        _wait_until(review, after.decided_ms + UNDO_MS)
        return _forget(review, after)
    if wrong:
        # Not at once: who moves a folder object by object would find the rest gone.
        _wait_until(review, after.unsettled_ms + settings.discard_delay_ms)
        _tidy(review, after, wrong)
        _saved(review, after, replace(after, unsettled_ms=0))
    return status


def _moved(review: Review, stranger: Stranger, places: Places) -> dict[str, str]:
    """Return the pictures that were moved into another stranger's folder: key by SHA-256."""
    at_home = set(places.own.values())
    moved: dict[str, str] = {}
    for key, etag in places.elsewhere.items():
        target = stranger_of(key)
        if target and target != stranger.id and etag not in at_home:
            moved |= {one.sha256: key for one in stranger.pictures if one.etag == etag}
    return moved


def _hand_over(
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
            _write_decision(review, before, after, event, None)
            if other := store.who_is(review.table, target):
                gap_ms = _settings_at(review, before).gap_ms
                _continue_visits(review, before, other.person or other.id, gap_ms)
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
        pictures=store.best_first(received.values()),
        picture_key=known.picture_key or key,
        elsewhere={**known.elsewhere, **elsewhere},
        unsettled_ms=0,
    )
    counts = _counts(review, known, known.merged_into, -1) if known.status == MERGED else []
    store.save_stranger(review.table, before, after, new_picture=picture.sha256, also=counts)


def _counts(review: Review, stranger: Stranger, other: str, sign: int) -> list[WriteRequest]:
    """Return what counts the visits of a merged stranger as another's, or with -1 no longer."""
    found = store.read_stranger(review.table, other)
    return store.count_merged(found, stranger, sign) if found else []


def _index(review: Review, stranger: str, key: str) -> str:
    """Return the id of the face in a picture, added to the strangers' collection."""
    files = review.files
    content = files.s3.get_object(Bucket=files.bucket, Key=key)["Body"].read()
    return index_face(files, content, stranger)


def _settle_gone(review: Review, before: Stranger, event: ObjectEvent) -> str:
    """Forget a stranger of whom no picture is left, unless one turns up in time."""
    if event.is_expiry:
        # No decision: what the owner has decided goes on without a picture.
        return before.status if before.status in (IGNORED, NAMED) else _forget(review, before)
    delay_ms = _settings_at(review, before).discard_delay_ms
    if not before.unsettled_ms:
        before = _saved(review, before, replace(before, unsettled_ms=review.now_ms()))
    _wait_until(review, before.unsettled_ms + delay_ms)
    _note_copies(review, before, set())
    if before.status != DISCARDED:
        decisions = before.decisions + 1
        after = replace(before, status=DISCARDED, decided_ms=review.now_ms(), decisions=decisions)
        _write_decision(review, before, after, event, None)
        before = _saved(review, before, after)
    return _forget(review, before)


def _saved(review: Review, before: Stranger, after: Stranger) -> Stranger:
    store.save_stranger(review.table, before, after)
    return replace(after, version=before.version + 1)


def _note_copies(review: Review, before: Stranger, known: Set[str]) -> None:
    """Note where else a stranger's pictures lie; raise RowChangedError, to look again, if any."""
    copies = {key: etag for key, etag in _copies(review, before) if key not in known}
    if not copies:
        return
    for key in copies:
        store.note_place(review.table, key, before.id)
    _saved(review, before, replace(before, elsewhere={**before.elsewhere, **copies}))
    raise RowChangedError


def _copies(review: Review, stranger: Stranger) -> Iterator[tuple[str, str]]:
    """Yield where else a stranger's pictures lie: the event of a copy may have been lost."""
    etags = {picture.etag for picture in stranger.pictures}
    files = review.files
    pages = files.s3.get_paginator("list_objects_v2")
    whole = [
        pages.paginate(Bucket=files.bucket, Prefix=folder) for folder in (PEOPLE_PREFIX, REVIEW)
    ]
    for page in chain.from_iterable(whole):
        for item in page.get("Contents", ()):
            if item["ETag"] in etags:
                yield item["Key"], item["ETag"]


def _wait_until(review: Review, due_ms: int) -> None:
    if (left_ms := due_ms - review.now_ms()) > 0:
        raise DueLaterError(left_ms)


def _settings_at(review: Review, stranger: Stranger) -> Settings:
    """Return the settings of the latest session at a camera that has seen the stranger."""
    session = latest_session(review.table, stranger.cameras[0])
    return session.settings if session else _settings.from_values({})


def _forget(review: Review, stranger: Stranger) -> str:
    """Remove all that is kept of a stranger and of who was merged into that one.

    The faces and the pictures, at last the rows.
    """
    files = review.files
    if stranger.status != DISCARDED:  # from here on no worker adds a picture
        stranger = _saved(review, stranger, replace(stranger, status=DISCARDED))
    delete_faces(files, stranger.face_ids)
    for key in objects_of(files, stranger.id):
        files.s3.delete_object(Bucket=files.bucket, Key=key)
    for other in store.merged_with(review.table, stranger.id):  # his face is known by that id too
        _forget(review, other)
    store.remove_stranger(review.table, stranger)
    return FORGOTTEN


def _picture_key(stranger: Stranger, places: Places) -> str:
    """Return where the picture that shows the stranger lies now, or another one; or nothing."""
    file = stranger.picture_key.rpartition("/")[2]
    found = [key for key in places.own if key.endswith(PICTURE)]
    if stranger.picture_key in found:
        return stranger.picture_key
    return max((key for key in found if key.endswith(f"/{file}")), default=max(found, default=""))


def _misplaced(stranger: Stranger, places: Places) -> list[str]:
    """Return the keys that lie in another of the stranger's folders than that of his status.

    And pictures that lie elsewhere, if none lies there.
    """
    folder = folder_of(stranger.status, stranger.id)
    wrong = [key for key in places.own if not key.startswith(folder)]
    if stranger.pictures and not any(key.endswith(PICTURE) for key in places.own):
        wrong += [key for key in places.elsewhere if key.endswith(PICTURE)]
    return wrong


def _tidy(review: Review, stranger: Stranger, wrong: Iterable[str]) -> None:
    """Move a stranger's pictures into the folder of his status."""
    folder = folder_of(stranger.status, stranger.id)
    for key in wrong:
        file = key.rpartition("/")[2]
        if key.startswith(PEOPLE_PREFIX):
            copy(review.files, key, f"{folder}{file}")
        else:
            move(review.files, key, f"{folder}{file}")


def _continue_visits(review: Review, stranger: Stranger, who: str, gap_ms: int) -> None:
    """Let a visit in progress go on as another's, so that it makes no second alert.

    `who` is the person who the stranger is, or the stranger with whom this one was merged.
    """
    now_ms = review.now_ms()
    for camera in stranger.cameras:
        theirs = read_current(review.table, camera, stranger.id)
        if theirs is None or now_ms - theirs.visit.last_ms > gap_ms:
            continue
        own = read_current(review.table, camera, who)
        last_ms = theirs.visit.last_ms
        if theirs.visit.alert not in (SENT, QUIET) or (own and own.visit.covers(last_ms, gap_ms)):
            continue
        visit = replace(
            theirs.visit,
            who=who,
            persons=() if who.startswith(STRANGER_PREFIX) else (who,),
            opened_ms=last_ms,
            first_ms=last_ms,
            times=(last_ms,),
            sightings=1,
        )
        save_visit(review.table, VisitLocation(own, None), visit)


def _write_decision(
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
