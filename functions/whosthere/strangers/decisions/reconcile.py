"""Reconcile a stranger with what lies under the key of an event."""

from operator import attrgetter

from whosthere.errors import DueLaterError
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.photo_keys import parse_photo_key
from whosthere.strangers import store
from whosthere.strangers.decisions.changed_object import Found, read_object
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.decisions.settle import settle
from whosthere.strangers.look_alikes import person_of_key, reconcile_look_alike
from whosthere.strangers.review_queue import status_of_key, stranger_of


def reconcile_object(review: Review, event: ObjectEvent) -> str:
    """Make rows and collections agree with what lies under the event's key; say what was done."""
    if person_of_key(event.key):
        return reconcile_look_alike(review.look_alikes, event.key)
    done = review.photos.reconcile_photo(event.key)
    if parse_photo_key(event.key) is None and status_of_key(event.key) is None:
        return done
    found = read_object(review, event.key)
    due = []
    for stranger in _strangers_at(review, event.key, found):
        elsewhere = {}
        if found and stranger_of(event.key) != stranger:
            store.note_place(review.table, event.key, stranger)
            elsewhere = {event.key: found.etag}
        try:
            done = settle(review, stranger, event, found, elsewhere)
        except DueLaterError as error:  # of this one only
            due.append(error)
    if due:
        raise min(due, key=attrgetter("wait_ms"))
    if found is None:  # until now it said whom the event concerns
        store.remove_places(review.table, [event.key])
    return done


def _strangers_at(review: Review, key: str, found: Found | None) -> list[str]:
    """Return the strangers whom a key concerns: whose picture lies there, or did.

    Last the one in whose folder it lies, who may be given it by another.
    """
    concerned = {store.stranger_of_place(review.table, key), stranger_of(key)}
    if found and found.sha256:
        concerned.add(store.stranger_of_picture(review.table, found.sha256))
    ids = sorted(stranger for stranger in concerned if stranger)
    return sorted(ids, key=lambda stranger: stranger == stranger_of(key))
