"""Visits that go on when the owner says who a stranger is."""

from dataclasses import replace

from whosthere.names import STRANGER_PREFIX
from whosthere.strangers.decisions.review import Review
from whosthere.strangers.stranger import Stranger
from whosthere.visits.store import VisitLocation, read_current, save_visit
from whosthere.visits.visit import QUIET, SENT


def continue_visits(review: Review, stranger: Stranger, who: str, gap_ms: int) -> None:
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
