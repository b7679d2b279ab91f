"""Where a stranger's pictures lie, what that says of the stranger, and where they belong."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from itertools import chain

from botocore.exceptions import ClientError

from whosthere.dynamodb import RowChangedError
from whosthere.people.photo_keys import PREFIX as PEOPLE_PREFIX
from whosthere.strangers import store
from whosthere.strangers.decisions.review import Review, save
from whosthere.strangers.review_queue import (
    FACTS,
    GONE,
    PICTURE,
    REVIEW,
    copy,
    folder_of,
    move,
    objects_of,
    status_of_key,
    stranger_of,
)
from whosthere.strangers.stranger import DISCARDED, IGNORED, NAMED, PENDING, Stranger


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


def find_places(review: Review, stranger: Stranger) -> Places:
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


def note_copies(review: Review, before: Stranger, known: Set[str]) -> None:
    """Note where else a stranger's pictures lie; raise RowChangedError, to look again, if any."""
    copies = {key: etag for key, etag in _copies(review, before) if key not in known}
    if not copies:
        return
    for key in copies:
        store.note_place(review.table, key, before.id)
    save(review, before, replace(before, elsewhere={**before.elsewhere, **copies}))
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


def picture_key(stranger: Stranger, places: Places) -> str:
    """Return where the picture that shows the stranger lies now, or another one; or nothing."""
    file = stranger.picture_key.rpartition("/")[2]
    found = [key for key in places.own if key.endswith(PICTURE)]
    if stranger.picture_key in found:
        return stranger.picture_key
    return max((key for key in found if key.endswith(f"/{file}")), default=max(found, default=""))


def misplaced(stranger: Stranger, places: Places) -> list[str]:
    """Return the keys that lie in another of the stranger's folders than that of his status.

    And pictures that lie elsewhere, if none lies there.
    """
    folder = folder_of(stranger.status, stranger.id)
    wrong = [key for key in places.own if not key.startswith(folder)]
    if stranger.pictures and not any(key.endswith(PICTURE) for key in places.own):
        wrong += [key for key in places.elsewhere if key.endswith(PICTURE)]
    return wrong


def tidy(review: Review, stranger: Stranger, wrong: Iterable[str]) -> None:
    """Move a stranger's pictures into the folder of his status."""
    folder = folder_of(stranger.status, stranger.id)
    for key in wrong:
        file = key.rpartition("/")[2]
        if key.startswith(PEOPLE_PREFIX):
            copy(review.files, key, f"{folder}{file}")
        else:
            move(review.files, key, f"{folder}{file}")
