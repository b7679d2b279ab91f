"""Exactly one alert per visit, whatever is retried, duplicated, late or done twice at once.

A worker writes new sightings and its claim on the alert in one conditional write, then sends the
alert, then marks it as sent. A crash in between leaves the claim with a lease: retries of the
record fail, so that Lambda redelivers it, until the lease is over; the next retry sends. The
lease outlasts the worker, so two can never send the same alert.

One window is left, and a standard SNS topic has no means to close it: if SNS accepted the alert
and the worker dies, or the answer is lost, before the mark is written, the retry sends it again.
Both carry the same `visit`, by which a machine can tell. A worker that lives on while the table
refuses the mark remembers what it sent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TypedDict
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere.alerts.message import Alert
from whosthere.alerts.mute import is_suppressed
from whosthere.dynamodb import Attributes, RowChangedError, Table
from whosthere.errors import TryAgainError
from whosthere.faces.match import Sighting
from whosthere.session_store import Session
from whosthere.visits import store
from whosthere.visits.index import closed_key
from whosthere.visits.store import StoredVisit, VisitLocation, current_key
from whosthere.visits.visit import CLAIMED, DUE, QUIET, SENT, Visit, VisitBuilder, open_visit

SERVICE_ERRORS = (ClientError, BotoCoreError)
ATTEMPTS = 8  # how often a row may change under a worker before the record is retried


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a worker's claims hold, by its clock; `length_ms` must outlast the worker.

    `sent` keeps, by claim, when an alert was sent whose mark could not be written yet.
    """

    now_ms: Callable[[], int]
    length_ms: int
    sent: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertContext:
    """What turns sightings into alerts: the visits' table, the publisher, the worker's lease."""

    table: Table
    publish: Callable[[Alert], object]
    lease: Lease


@dataclass(frozen=True, slots=True)
class Recorded:
    """A visit as it was written, and how many of the sightings were new.

    `is_claimed`: this worker has to send the alert. `is_suppressed`: the owner wants no alert.
    """

    visit: Visit
    new_sightings: int
    is_claimed: bool
    is_suppressed: bool


def record_sightings(
    context: AlertContext,
    session: Session,
    who: str,
    sightings: Sequence[Sighting],
    *,
    current: StoredVisit | None = None,
    alerts: bool = True,
) -> Iterator[Recorded]:
    """Write sightings of one person or stranger into their visits, and claim alerts that are due.

    Yield each visit once it is written: a claimed alert has to be sent before the next one.
    `current` is the current visit if it has been read already. Without `alerts` visits are kept
    as in quiet hours.
    """
    pending = sorted(sightings, key=attrgetter("frame.captured_ms"))
    camera, gap_ms = session.camera, session.settings.gap_ms
    changes = 0
    while pending:
        current = current or store.read_current(context.table, camera, who)
        location = store.find_visit(context.table, current, pending[0].frame.captured_ms, gap_ms)
        current = None  # it has to be read again after each write
        stored = location.stored
        before = stored.visit if stored else open_visit(camera, who, session.id, pending[0])
        update = VisitBuilder(before, session.settings).add(pending)
        try:
            recorded = _write(context, session, location, before, update.visit, alerts=alerts)
        except RowChangedError as error:
            changes += 1
            if changes == ATTEMPTS:
                raise TryAgainError("the visit's row keeps changing") from error
            continue
        # Only a duplicate sighting can belong to the batch whose worker died with the claim;
        # new ones may pass, the claim is held by a worker that lives.
        if update.has_duplicates and recorded.visit.alert == CLAIMED and not recorded.is_claimed:
            raise TryAgainError("another worker has claimed the visit's alert")
        yield recorded
        pending = pending[update.added :]


def _write(
    context: AlertContext,
    session: Session,
    location: VisitLocation,
    before: Visit,
    visit: Visit,
    *,
    alerts: bool,
) -> Recorded:
    """Write what changed of a visit, with a claim on its alert if that is due."""
    stored = location.stored
    if stored and stored is location.current and visit.last_ms > before.last_ms:
        visit = replace(visit, session=session.id)  # it goes on in this session
    after = _claim(context, session, visit, alerts=alerts)
    if stored is None or after != before:
        store.save_visit(context.table, location, after)
    return Recorded(
        after,
        new_sightings=after.sightings - before.sightings,
        is_claimed=after.alert == CLAIMED and after.claim != visit.claim,
        is_suppressed=alerts and after.alert == QUIET and visit.alert != QUIET,
    )


def _claim(context: AlertContext, session: Session, visit: Visit, *, alerts: bool) -> Visit:
    """Return the visit with its alert claimed, suppressed or marked, if one of these is due."""
    lease, now_ms = context.lease, context.lease.now_ms()
    if visit.alert == CLAIMED and visit.claim in lease.sent:
        return replace(visit, alert=SENT, sent_ms=lease.sent[visit.claim])
    is_expired = visit.alert == CLAIMED and visit.lease_ms < now_ms
    if visit.alert != DUE and not is_expired:
        return visit
    who = visit.persons or (visit.who,)  # a stranger's visit names no persons
    if not alerts or is_suppressed(context.table, session.settings, who, visit.captured_ms, now_ms):
        return replace(visit, alert=QUIET)
    lease_ms = now_ms + lease.length_ms
    return replace(visit, alert=CLAIMED, claim=uuid4().hex, lease_ms=lease_ms)


def release(context: AlertContext, visit: Visit) -> TryAgainError:
    """Release the claim on an alert that a service refused; return the error to raise."""
    _settle(context.table, visit, _settlement(visit, DUE, 0))
    return TryAgainError("the alert could not be sent")


def send_alert(context: AlertContext, visit: Visit, alert: Alert) -> None:
    """Publish the alert of a claimed visit and mark it as sent; or release the claim."""
    sent, sent_ms = context.lease.sent, alert.sent_ms
    settlement = _settlement(visit, SENT, sent_ms)
    key = current_key(visit.camera, visit.who)
    mark = partial(context.table.update_item, Key=key, **settlement)
    try:
        # On one line and with the mark made ready before: of ours, nothing that could
        # fail lies between the topic's answer and the write.
        _ = context.publish(alert), sent.setdefault(visit.claim, sent_ms), mark()
    except SERVICE_ERRORS as error:
        if visit.claim not in sent:  # the topic did not accept it
            raise release(context, visit) from error
        # It is out, and this worker knows; a retry that meets it need not send again.
        _settle(context.table, visit, settlement)
    del sent[visit.claim]


class Settlement(TypedDict):
    """How a claimed alert's row changes once the alert is sent or released."""

    UpdateExpression: str
    ConditionExpression: str
    ExpressionAttributeValues: Attributes


def _settlement(visit: Visit, alert: str, sent_ms: int) -> Settlement:
    """Return the change that marks a claimed alert as sent, or releases it for the next try."""
    return {
        "UpdateExpression": "SET alert = :alert, lease = :none, sent = :sent ADD version :one",
        "ConditionExpression": "claim = :claim AND alert = :claimed",
        "ExpressionAttributeValues": {
            ":alert": alert,
            ":sent": sent_ms,
            ":none": 0,
            ":one": 1,
            ":claim": visit.claim,
            ":claimed": CLAIMED,
        },
    }


def _settle(table: Table, visit: Visit, settlement: Settlement) -> None:
    """Write how a claimed alert was settled, wherever the visit's row is by now."""
    # The next visit may have opened meanwhile and moved this one.
    for key in (current_key(visit.camera, visit.who), closed_key(visit)):
        try:
            table.update_item(Key=key, **settlement)
            return
        except ClientError as error:
            if not dynamodb.is_lost(error):
                raise
