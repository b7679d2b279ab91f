"""What settling a decision works on, and what every step of it needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from whosthere import settings as _settings
from whosthere.dynamodb import Table
from whosthere.errors import DueLaterError
from whosthere.people.reconcile import PhotoReconciler
from whosthere.session_store import latest_session
from whosthere.settings import Settings
from whosthere.strangers import store
from whosthere.strangers.look_alikes import LookAlikes
from whosthere.strangers.review_queue import StrangerFiles
from whosthere.strangers.stranger import Stranger


@dataclass(frozen=True, slots=True)
class Review:
    """What a decision concerns: rows, the strangers' files, the people's photos and look-alikes."""

    table: Table
    files: StrangerFiles
    photos: PhotoReconciler
    now_ms: Callable[[], int]
    look_alikes: LookAlikes


def save(review: Review, before: Stranger, after: Stranger) -> Stranger:
    """Save a row that is still as `before`; return it with its new version."""
    store.save_stranger(review.table, before, after)
    return replace(after, version=before.version + 1)


def wait_until(review: Review, due_ms: int) -> None:
    """Raise DueLaterError before a moment, so that the event comes again at it."""
    if (left_ms := due_ms - review.now_ms()) > 0:
        raise DueLaterError(left_ms)


def settings_at(review: Review, stranger: Stranger) -> Settings:
    """Return the settings of the latest session at a camera that has seen the stranger."""
    session = latest_session(review.table, stranger.cameras[0])
    return session.settings if session else _settings.from_values({})
