"""From sightings of a stranger to visits, and one alert for each, with a link to a picture."""

from collections.abc import Sequence
from dataclasses import replace

from whosthere.alerts.texts import PictureLink, stranger_alert
from whosthere.errors import name_of_error
from whosthere.faces.match import Sighting
from whosthere.people.store import current_id
from whosthere.session_store import Session
from whosthere.strangers import store
from whosthere.strangers.counts import count_sightings
from whosthere.strangers.pictures import LINK_SECONDS
from whosthere.strangers.recurring import Frequency, visit_frequency
from whosthere.strangers.review_queue import StrangerContext
from whosthere.strangers.stranger import Stranger
from whosthere.visits.persons import alert_person
from whosthere.visits.record_sightings import (
    SERVICE_ERRORS,
    AlertContext,
    Recorded,
    record_sightings,
    release,
    send_alert,
)
from whosthere.visits.visit import Visit


def record_stranger(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    stranger: str,
    sightings: Sequence[Sighting],
) -> int:
    """Record sightings of a stranger and send the alerts; return how many were suppressed."""
    known = store.who_is(alerting.table, stranger)
    if known is None:
        return 0  # forgotten a moment ago
    if known.person:
        person = current_id(alerting.table, known.person)
        named = [replace(sighting, who=(person,)) for sighting in sightings]
        return alert_person(alerting, session, person, named)
    new_sightings, visits, suppressed = 0, 0, 0
    alerts, is_recurring = session.settings.strangers == "alert" and known.is_waiting, None
    for recorded in record_sightings(alerting, session, known.id, sightings, alerts=alerts):
        new_sightings += recorded.new_sightings
        is_opened = recorded.new_sightings == recorded.visit.sightings
        visits += is_opened
        suppressed += recorded.is_suppressed
        if recorded.is_claimed or is_opened:
            is_recurring = _notice(alerting, context, session, recorded)
    last_ms = max(sighting.frame.captured_ms for sighting in sightings)
    count_sightings(
        alerting.table,
        known,
        last_ms,
        new_sightings,
        visits=visits,
        camera=session.camera,
        is_recurring=is_recurring,
    )
    return suppressed


def _link(context: StrangerContext, key: str, now_ms: int) -> PictureLink:
    """Return the link to a picture; without one, why: the alert matters more."""
    try:
        return PictureLink(context.urls.sign(key), now_ms + 1000 * LINK_SECONDS)
    except SERVICE_ERRORS as error:
        return PictureLink("", 0, name_of_error(error))


def _notice(
    alerting: AlertContext, context: StrangerContext, session: Session, recorded: Recorded
) -> bool:
    """Send the alert of a stranger's visit if it is claimed; return whether he keeps coming."""
    visit = recorded.visit
    try:
        known = store.read_stranger(alerting.table, visit.who)
        frequency = visit_frequency(alerting.table, session.settings, visit.who, visit.last_ms)
    except SERVICE_ERRORS as error:
        if recorded.is_claimed:
            raise release(alerting, visit) from error
        raise
    if recorded.is_claimed:
        _send(alerting, context, session, visit, known, frequency)
    return frequency.is_recurring


def _send(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    visit: Visit,
    known: Stranger | None,
    frequency: Frequency,
) -> None:
    """Send the alert of a stranger's visit, with a link to the picture if there is one."""
    now_ms = alerting.lease.now_ms()
    picture = _link(context, known.picture_key, now_ms) if known and known.picture_key else None
    alert = stranger_alert(
        visit,
        picture,
        seen_before=known is not None and known.first_ms < visit.first_ms,
        frequency=frequency,
        time_zone=session.settings.time_zone,
        now_ms=now_ms,
    )
    send_alert(alerting, visit, alert)
