"""Messages about a running session that are due: its start, its camera's health, failed checks."""

from dataclasses import dataclass, field, replace

from whosthere.alerts import texts
from whosthere.alerts.message import Alert
from whosthere.alerts.mute import in_hours
from whosthere.alerts.texts import BACK, HealthChange
from whosthere.session.facts import Facts
from whosthere.session.health.hysteresis import (
    MOST_MESSAGES,
    PERIOD_MS,
    RECORDS,
    VIDEO,
    CameraHealth,
    Signal,
)
from whosthere.session.open import health_check_s
from whosthere.session.progress import SentMarks

# Failed checks that are told so long after the first of them are told with its time.
LATE_FAILURE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is due, and what is noted once it is sent.

    `signal` and `told` are of a change of the camera's health; `counts` is whether the message
    is one of the few that a camera may have.
    """

    alert: Alert
    marks: SentMarks = field(default_factory=SentMarks)
    signal: str = ""
    told: str = ""
    counts: bool = False


def health_seen(facts: Facts) -> CameraHealth:
    """Return the camera's health after this check."""
    health, now = facts.health.in_session(facts.session.id), facts.now_ms
    assert facts.media is not None
    limit_s = facts.session.settings.silence_seconds
    # After a pause, or a request that ends none, the wait for video begins again; so only video
    # ends a silence.
    is_silent = facts.media.is_silent(limit_s) if health.video.stopped else facts.is_silent
    silent_s = limit_s if facts.media.silent_seconds is None else facts.media.silent_seconds
    video_ms = now - round(1000 * silent_s)
    wrong_ms = now - _base_ms(facts, RECORDS)
    is_wrong = bool(facts.records_problem) or (facts.awaits_image and health.records.stopped)
    return replace(
        health,
        video=health.video.seen(stopped=is_silent, since_ms=video_ms, now_ms=now),
        records=health.records.seen(stopped=is_wrong, since_ms=wrong_ms, now_ms=now),
    )


def _base_ms(facts: Facts, signal: str) -> int:
    """Return how long a signal has to be missing: for at least one look."""
    settings, every_s = facts.session.settings, health_check_s(facts.session)
    limit_s = settings.silence_seconds if signal == VIDEO else settings.records_missing_seconds
    return 1000 * max(limit_s, every_s)


def due_notices(facts: Facts) -> tuple[Notice, ...]:
    """Return the messages that are due and that the owner wants."""
    session, due = facts.session, []
    if "start" in session.settings.tell and not facts.progress.start_told:
        due.append(Notice(texts.started(session), {"start_told": True}))
    if "problem" in session.settings.tell:
        signals = {VIDEO: facts.health.video, RECORDS: facts.health.records}
        changes = [
            (name, signal, told)
            for name, signal in signals.items()
            if (told := signal.due(_base_ms(facts, name), facts.now_ms))
        ]
        left = messages_left(facts)
        for number, change in enumerate(changes[:left]):
            due.append(_health_notice(facts, *change, left - number))
    return tuple(due)


def messages_left(facts: Facts) -> int:
    """Return how many messages about the camera's health may be sent now."""
    settings, now = facts.session.settings, facts.now_ms
    if in_hours(now, settings.quiet_hours, settings.time_zone):
        return 0
    return max(0, MOST_MESSAGES - len(facts.health.recent(now)))


def _health_notice(facts: Facts, name: str, signal: Signal, told: str, left: int) -> Notice:
    """Return the message of a change; `left` is how many may be sent, with this one."""
    now, base_ms = facts.now_ms, _base_ms(facts, name)
    due_ms = signal.since + (signal.hold_ms(base_ms) if told == BACK else base_ms)
    first = min([*facts.health.recent(now), now])
    change = HealthChange(
        told,
        signal.since,
        signal.stops,
        signal.first_stop,
        is_stopped=signal.stopped,
        is_late=now - due_ms >= base_ms + texts.LATE_MS,
        next_ms=first + PERIOD_MS if left == 1 else 0,
    )
    alert = (
        texts.video(facts.session, change)
        if name == VIDEO
        else texts.records(facts.session, facts.records_problem, change)
    )
    return Notice(alert, signal=name, told=told, counts=True)


def failure_notice(facts: Facts, *, is_over: bool) -> Notice | None:
    """Return the message that checks failed, once a session."""
    session, progress = facts.session, facts.progress
    wanted = "problem" in session.settings.tell and messages_left(facts) > 0
    if not wanted or progress.failure_told or not progress.failed_checks:
        return None
    is_late = is_over and facts.now_ms - progress.failed_since >= LATE_FAILURE_MS
    since_ms = progress.failed_since if is_late else 0
    alert = texts.failed_checks(session, progress.failed_checks, since_ms, is_over=is_over)
    return Notice(alert, {"failure_told": True}, counts=True)
