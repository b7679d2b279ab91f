"""Exactly one alert per visit, whatever is retried, doubled, late or done twice at once.

A worker writes new sightings and its claim on the alert in one conditional write, then
sends, then marks the alert as sent. A crash in between leaves the claim with a lease:
the retry of the record fails (so it comes again) until the lease is over and then sends.
The lease outlasts the worker, so two can never send the same alert.

One window is left, and a standard SNS topic has no means to close it: if SNS accepted
the alert and the worker dies, or the answer is lost, before the mark is written, the
retry sends it again. Both carry the same `visit`, by which a machine can tell. A worker
that lives on while the table refuses the mark remembers what it sent.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import clock
from whosthere.alerts import quiet_hours as quiet
from whosthere.alerts.message import Alert
from whosthere.dynamodb import RowChangedError, Table
from whosthere.errors import TryAgainError
from whosthere.faces.match import Sighting
from whosthere.session_store import Session
from whosthere.visits import store as visit_rows
from whosthere.visits.store import Place
from whosthere.visits.visit import CLAIMED, QUIET, SENT, Tally, Visit, open_visit

ATTEMPTS = 8  # how often a row may change under a worker before the record comes again


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one worker's sightings become visits and alerts.

    `publish` sends an alert; `lease_ms` must outlast the worker; `sent` keeps, by claim,
    what was sent and could not be marked yet; `wait` lets milliseconds go by.
    """

    table: Table
    session: Session
    publish: Callable[[Alert], object]
    now_ms: Callable[[], int]
    lease_ms: int
    sent: dict[str, int] = field(default_factory=dict)
    wait: Callable[[int], object] = clock.wait


@dataclass(frozen=True, slots=True)
class Step:
    """What one write does to a visit, and what has to follow it."""

    visit: Visit
    taken: int
    claimed: bool = False
    must_wait: bool = False
    hushed: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """How many of the sightings were new, and of how many visits the owner wants no word now."""

    fresh: int
    hushed: int


def see(
    desk: Desk,
    who: str,
    sightings: Iterable[Sighting],
    compose: Callable[[Visit], Alert] | None,
) -> Taken:
    """Take in sightings of one person or stranger and send the alerts that fall due.

    `compose` makes a visit's alert; without it visits are kept and nobody is told, as in
    quiet hours and of who is muted.
    """
    pending = sorted(sightings, key=lambda sighting: sighting.captured_ms)
    attempts = fresh = hushed = 0
    while pending:
        place = _locate(desk, who, pending[0].captured_ms)
        step = _step(desk, who, place, pending, tells=compose is not None)
        if place.row is None or step.visit != place.row.visit:
            try:
                visit_rows.save(desk.table, place, step.visit)
            except RowChangedError as error:
                attempts += 1
                if attempts == ATTEMPTS:
                    raise TryAgainError("the visit's row keeps changing") from error
                continue
        hushed += step.hushed
        fresh += step.visit.sightings - (place.row.visit.sightings if place.row else 0)
        if step.must_wait:
            raise TryAgainError("somebody else has the visit's alert in hand")
        if step.claimed and compose is not None:
            _send(desk, step.visit, compose)
        pending = pending[step.taken :]
    return Taken(fresh, hushed)


def _locate(desk: Desk, who: str, moment_ms: int) -> Place:
    session = desk.session
    return visit_rows.locate(desk.table, who, session.camera, moment_ms, session.settings.gap_ms)


def _step(desk: Desk, who: str, place: Place, pending: list[Sighting], *, tells: bool) -> Step:
    settings, session = desk.session.settings, desk.session
    row = place.row
    visit = row.visit if row else open_visit(session.camera, who, session.id, pending[0])
    came_again = False
    taken = 0
    tally = Tally(visit, settings)
    for sighting in pending:
        if not tally.covers(sighting.captured_ms):
            break
        came_again |= not tally.add(sighting)
        taken += 1
    counted = tally.visit()
    if place.is_current and counted.last_ms > visit.last_ms:
        counted = replace(counted, session=session.id)  # it goes on in this session
    return _claim(desk, counted, taken, came_again, tells=tells)


def _claim(desk: Desk, visit: Visit, taken: int, came_again: bool, *, tells: bool) -> Step:
    now_ms = desk.now_ms()
    if visit.alert == CLAIMED and visit.claim in desk.sent:
        marked = replace(visit, alert=SENT, sent_ms=desk.sent[visit.claim])
        return Step(marked, taken)
    if visit.is_free(now_ms):
        who = list(visit.persons) or [visit.who]  # a stranger's visit names no persons
        settings, captured_ms = desk.session.settings, visit.captured_ms
        hushed = tells and quiet.is_quiet(desk.table, settings, who, captured_ms, now_ms)
        if hushed or not tells:
            return Step(replace(visit, alert=QUIET), taken, hushed=hushed)
        lease_ms = now_ms + desk.lease_ms
        claim = uuid4().hex
        mine = replace(visit, alert=CLAIMED, claim=claim, lease_ms=lease_ms)
        return Step(mine, taken, claimed=True)
    # Only a sighting that was counted before can belong to the batch whose worker died
    # with the claim; new ones may pass, the claim is in good hands.
    return Step(visit, taken, must_wait=came_again and visit.alert == CLAIMED)


class _NotSentError(Exception):
    """The topic did not take the alert."""


def _send(desk: Desk, visit: Visit, compose: Callable[[Visit], Alert]) -> None:
    sent_ms = desk.now_ms()
    mark = visit_rows.marking(desk.table, visit, sent_ms)
    try:
        alert = _composed(visit, compose)
        # On one line and with the mark made ready before: of ours, nothing that could
        # fail lies between the topic's answer and the write.
        _ = _publish(desk, alert), mark()
    except _NotSentError as error:
        visit_rows.release(desk.table, visit)
        raise TryAgainError("the alert could not be sent") from error
    except (ClientError, BotoCoreError):
        # It is out, and this worker knows; a retry that comes to it need not send again.
        desk.sent[visit.claim] = sent_ms
        visit_rows.mark_sent(desk.table, visit, sent_ms)
        del desk.sent[visit.claim]


def _composed(visit: Visit, compose: Callable[[Visit], Alert]) -> Alert:
    try:
        return compose(visit)
    except (ClientError, BotoCoreError) as error:
        raise _NotSentError from error


def _publish(desk: Desk, alert: Alert) -> object:
    try:
        return desk.publish(alert)
    except (ClientError, BotoCoreError) as error:
        raise _NotSentError from error
