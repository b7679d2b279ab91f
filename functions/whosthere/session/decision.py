"""What a session does next: a pure function of what its check has read.

The state machine asks for a check whenever it has done what the last one answered, and when
it wakes. A check may be asked twice for one answer: the same facts give the same answer, and
what the first one has noted changes none.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TypedDict

from whosthere.alerts import texts
from whosthere.alerts.message import Alert
from whosthere.alerts.mute import in_hours
from whosthere.alerts.texts import BACK, HealthChange
from whosthere.costs.limits import Budget
from whosthere.dynamodb import Attributes, Row
from whosthere.session.engine import IS_GONE, IS_RUNNING, STREAM_PROCESSOR, EngineStatus
from whosthere.session.health.hysteresis import (
    MOST_MESSAGES,
    PERIOD_MS,
    RECORDS,
    VIDEO,
    CameraHealth,
    Signal,
)
from whosthere.session.health.media import Media
from whosthere.session.open import after_failed_check, health_check_s
from whosthere.session.requests import SessionRequests
from whosthere.session_store import Session

START, SLEEP, STOP_ENGINE, END = "start", "sleep", "stop-engine", "end"
# A processor that was started may be STOPPED at first.
SETTLE_MS = 10_000
# AWS's advice for a processor that stays in STARTING: delete and recreate it.
STUCK_MS = 120_000
LAST_ATTEMPT = 2
# So often an engine is started without being there afterwards.
MOST_STARTS = 10
# Seconds between two checks of a processor that starts; of a stream without media, at first for
# two minutes and then.
STARTING_S, NO_MEDIA_S, LONG_NO_MEDIA_S, SOON_S = 5, 10, 600, 120
# So many failed checks in a row are told while they last; fewer when they are over.
TOLD_FAILED_CHECKS = 3
# Failed checks that are told so long after the first of them are told with its time.
LATE_FAILURE_MS = 3_600_000
# A check of 13 events that needed retries, of 3 events each, lets this part of its sleep more
# go by for each, so that a day of them has no more events than one without.
RETRY_PART = 1 / 3


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """What the checks of a session have noted in its row; times in milliseconds, 0 for never.

    The engine: `seen` since when it is there and not yet running, `ran` whether it has been,
    `starts` how often it was started in vain. `video_stops` and `records_stops` are for the
    report. Messages are marked once they are sent; those of health are marked with the camera.
    For the bill: `engine_ms` how long the engine was on, `video_bytes` of fragments that began
    until `video_until`. The last pause at a limit: at which limits, which of them was spent, since
    when, until when (before its beginning while it lasts); `limited_ms` is how long the ones
    before it were.
    """

    ran: bool = False
    seen: int = 0
    starts: int = 0
    attempt: int = 1
    stuck: bool = False
    silent_since: int = 0
    start_told: bool = False
    video_stops: int = 0
    records_stops: int = 0
    failed_checks: int = 0
    failed_since: int = 0
    failure_told: bool = False
    checked: int = 0
    answer: str = ""
    engine_ms: int = 0
    video_bytes: int = 0
    video_until: int = 0
    limit: str = ""
    limit_name: str = ""
    limit_since: int = 0
    limit_until: int = 0
    limited_ms: int = 0
    limit_told: bool = False

    def metered(self, now_ms: int) -> "CheckProgress":
        """Return the progress with the time since the last check, if the engine was on."""
        is_on = self.is_started or self.answer.startswith(STOP_ENGINE)
        since_ms = max(0, now_ms - self.checked) if is_on and self.checked else 0
        return replace(self, engine_ms=self.engine_ms + since_ms)

    def with_video(self, media: Media) -> "CheckProgress":
        """Return the progress with the video that came since the last check."""
        total = self.video_bytes + media.new_bytes
        return replace(self, video_bytes=total, video_until=media.counted_ms)

    def limited(self, budget: Budget, now_ms: int) -> "CheckProgress":
        """Return the progress of a session that is paused at its limit."""
        if self.is_limited:
            return self
        return replace(
            self,
            limit=budget.limits,
            limit_name=budget.limit_name,
            limit_since=now_ms,
            limited_ms=self.not_searched_ms(now_ms),
        )

    def unlimited(self, now_ms: int) -> "CheckProgress":
        """Return the progress of a session that is not paused at a limit."""
        if not self.is_limited:
            return self
        return replace(self, limit_until=now_ms, limit_told=False)

    def not_searched_ms(self, now_ms: int) -> int:
        """Return how long the session was paused at limits; `now_ms` ends a pause that lasts."""
        if not self.limit_since:
            return 0
        until_ms = now_ms if self.is_limited else self.limit_until
        return self.limited_ms + max(0, until_ms - self.limit_since)

    @property
    def is_limited(self) -> bool:
        """Whether the session is paused at a limit on its cost."""
        return self.limit_since > self.limit_until

    @property
    def is_started(self) -> bool:
        """Whether the session has started its engine since it began, or since a pause."""
        return self.ran or self.starts > 0


class SentMarks(TypedDict, total=False):
    """Which messages are noted as sent, by the field of CheckProgress."""

    start_told: bool
    failure_told: bool
    limit_told: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What one check has read; `media` and `engine` are None where they cannot matter."""

    session: Session
    now_ms: int
    requests: SessionRequests
    progress: CheckProgress = field(default_factory=CheckProgress)
    media: Media | None = None
    engine: EngineStatus | None = None
    records_problem: str = ""
    awaits_image: bool = False  # the first one: so nothing is known yet of the records
    failed_checks: int = 0  # in a row, before this one
    retries: int = 0  # that the machine needed since the last check
    health: CameraHealth = field(default_factory=CameraHealth)
    budget: Budget | None = None  # None without a limit

    @property
    def searching_s(self) -> float:
        """Seconds since the session's start, or since its last pause was over."""
        pauses = self.requests.paused_until_ms, self.progress.limit_until
        return (self.now_ms - max(self.session.started_ms, *pauses)) / 1000

    @property
    def is_paused(self) -> bool:
        """Whether a pause that was asked for is not over yet."""
        return self.requests.paused_until_ms > self.now_ms

    @property
    def is_over_limit(self) -> bool:
        """Whether a limit on the cost lets nothing be searched.

        A pause at a limit lasts until another limit holds: what other sessions give back to the
        month would start and stop the engine again and again.
        """
        budget, progress = self.budget, self.progress
        if budget is None:
            return False
        return budget.is_spent or (progress.is_limited and progress.limit == budget.limits)

    @property
    def is_silent(self) -> bool:
        """Whether no video came for as long as the settings allow."""
        limit_s = self.session.settings.silence_seconds
        assert self.media is not None
        return self.media.is_silent(limit_s) and self.searching_s > limit_s

    @property
    def status(self) -> str:
        """Status of the session's own engine.

        Image generation is the stream's: until the session has switched it on, what is on
        was left over. A pause stops that too.
        """
        assert self.engine is not None
        is_own = self.session.engine == STREAM_PROCESSOR or self.progress.is_started
        is_halted = self.is_paused or self.is_over_limit
        return self.engine.status if is_own or is_halted else IS_GONE

    @property
    def is_searching(self) -> bool:
        """Whether video comes and the engine runs, so that records must come too."""
        is_live = self.media is not None and self.media.is_live
        return is_live and self.searching_s > 0 and self.status == IS_RUNNING


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


@dataclass(frozen=True, slots=True)
class Decision:
    """What the state machine does next, what the owner is told, and what is noted.

    `health` is the camera's, None if this check says nothing about it.
    """

    next: str
    progress: CheckProgress
    health: CameraHealth | None = None
    sleep_s: int = 1
    ended_by: str = ""
    error: str = ""
    cause: str = ""
    notices: tuple[Notice, ...] = ()
    failed_checks: int = 0  # in a row, with this one


def ends_at_once(facts: Facts) -> Decision | None:
    """Return the end of a session that was lost, asked to stop or is over, else None.

    This needs no more than the rows: what fails behind other services keeps no session from
    hearing a request.
    """
    if not facts.session.held:
        lost = "the session does not hold its camera any more"
        return end_by_problem(facts, "LockLostError", lost)
    if facts.requests.stop:
        return _end(facts, "stop")
    if facts.now_ms >= facts.session.deadline_ms:
        return _end(facts, "deadline")
    return None


def decide(facts: Facts) -> Decision:
    """Return what the session does next."""
    progress = _failures_noted(facts, facts.failed_checks)
    if not facts.is_over_limit:
        progress = progress.unlimited(facts.now_ms)
    facts = replace(facts, progress=progress)
    found = ends_at_once(facts) or _engine_failed(facts) or _over_limit(facts) or _goes_on(facts)
    left = _messages_left(facts) - sum(notice.counts for notice in found.notices)
    if found.next == END or left < 1 or not (notice := _failure_notice(facts, is_over=True)):
        return found
    return replace(found, notices=(notice, *found.notices))


def _failures_noted(facts: Facts, count: int) -> CheckProgress:
    """Return the progress after so many failed checks in a row."""
    progress = facts.progress
    most = max(progress.failed_checks, count)
    since = progress.failed_since or facts.now_ms if most else 0
    return replace(progress, failed_checks=most, failed_since=since)


def decide_without(facts: Facts, error: str, cause: str) -> Decision:
    """Return what the session does after a check that failed: it sleeps ever longer, then ends.

    An engine that has spent the limit is not left on until a check succeeds.
    """
    count = facts.failed_checks + 1
    instead = after_failed_check(health_check_s(facts.session))[facts.failed_checks]
    progress = _failures_noted(facts, count)
    if instead["next"] == END:
        return replace(end_by_problem(facts, error, cause), failed_checks=count)
    if progress.is_started and facts.budget and facts.budget.is_spent:
        progress = _engine_forgotten(progress.limited(facts.budget, facts.now_ms))
        return Decision(STOP_ENGINE, progress, failed_checks=count)
    notice = None
    if count >= TOLD_FAILED_CHECKS:
        notice = _failure_notice(replace(facts, progress=progress), is_over=False)
    return Decision(
        SLEEP,
        progress,
        sleep_s=_until_deadline(facts, _payable(facts, progress, instead["sleepSeconds"])),
        notices=(notice,) if notice else (),
        failed_checks=count,
    )


def _goes_on(facts: Facts) -> Decision:
    if facts.is_paused:
        return _paused(facts, facts.requests.paused_until_ms)
    assert facts.engine is not None
    if facts.status == IS_GONE:
        return _without_engine(facts)
    if facts.status != IS_RUNNING and not facts.progress.ran:
        return _starting(facts, facts.engine)
    return _searching(facts)


def progress_of(row: Row) -> CheckProgress:
    """Return the progress that a session's row holds."""
    defaults, kept = asdict(CheckProgress()), row.get("check", {})
    return CheckProgress(
        **{name: type(value)(kept.get(name, value)) for name, value in defaults.items()}
    )


def as_row(progress: CheckProgress) -> Attributes:
    """Return the progress as the row holds it."""
    return asdict(progress)


def _engine_failed(facts: Facts) -> Decision | None:
    """Return the end of a session whose engine ran, or was seen to start, and failed since."""
    engine, progress = facts.engine, facts.progress
    assert engine is not None
    ran = progress.ran
    if facts.status == IS_GONE and (ran or (progress.seen and not progress.stuck)):
        is_processor = facts.session.engine == STREAM_PROCESSOR
        images = "image generation was switched off from outside"
        return _failed(facts, "the stream processor is gone" if is_processor else images)
    is_halted = facts.is_paused or facts.is_over_limit
    has_failed = engine.status == "FAILED" and (ran or not is_halted)
    if has_failed or (engine.status == "STOPPED" and ran):
        return _failed(facts, f"{engine.status}: {engine.message or 'stopped from outside'}")
    return None


def _failed(facts: Facts, cause: str) -> Decision:
    return end_by_problem(facts, "ProcessorFailed", cause)


def _over_limit(facts: Facts) -> Decision | None:
    """Return the pause of a session that has spent its limit; its owner is told once."""
    budget, session, now_ms = facts.budget, facts.session, facts.now_ms
    if budget is None or not facts.is_over_limit:
        return None
    until_ms = min(budget.resumes_ms or session.deadline_ms, session.deadline_ms)
    progress = facts.progress.limited(budget, now_ms)
    found = _paused(replace(facts, progress=progress), until_ms)
    if progress.limit_told or "problem" not in session.settings.tell:
        return found
    alert = texts.limit_reached(session, progress.limit_name, until_ms, budget.left_out)
    return replace(found, notices=(Notice(alert, {"limit_told": True}),))


def _paused(facts: Facts, until_ms: int) -> Decision:
    """Stop the engine for as long as one is seen, whatever was answered before; then sleep."""
    assert facts.engine is not None
    progress = _engine_forgotten(facts.progress)
    if facts.engine.status != IS_GONE:
        return Decision(STOP_ENGINE, progress)
    left_s = (until_ms - facts.now_ms) / 1000
    return _sleep(facts, left_s, progress)


def _engine_forgotten(progress: CheckProgress) -> CheckProgress:
    return replace(progress, ran=False, seen=0, starts=0, attempt=1, stuck=False, silent_since=0)


def _without_engine(facts: Facts) -> Decision:
    progress = facts.progress
    if progress.stuck:
        progress = replace(progress, stuck=False, seen=0, attempt=LAST_ATTEMPT)
    assert facts.media is not None
    if facts.media.is_live or progress.attempt == LAST_ATTEMPT:
        if progress.starts == MOST_STARTS:
            return end_by_problem(facts, "ProcessorStuck", "it was started, but is not there")
        return Decision(START, replace(progress, starts=progress.starts + 1))
    if facts.searching_s >= facts.session.settings.media_wait_seconds:
        return _end(facts, "no-media")
    often = facts.searching_s < SOON_S
    return _sleep(facts, NO_MEDIA_S if often else LONG_NO_MEDIA_S, progress)


def _starting(facts: Facts, engine: EngineStatus) -> Decision:
    """Wait for the processor; recreate it once if it is stuck."""
    progress = replace(facts.progress, seen=facts.progress.seen or facts.now_ms)
    since_ms = facts.now_ms - progress.seen
    if engine.status == "STOPPED" and since_ms > SETTLE_MS:
        stopped = "the stream processor was started but is STOPPED"
        return end_by_problem(facts, "ProcessorStopped", stopped)
    if since_ms <= STUCK_MS and not progress.stuck:
        return _sleep(facts, STARTING_S, progress)
    if progress.attempt == LAST_ATTEMPT:
        stuck = f"the stream processor stayed in {engine.status} for two minutes, twice"
        return end_by_problem(facts, "ProcessorStuck", stuck)
    return Decision(STOP_ENGINE, replace(progress, stuck=True))


def _searching(facts: Facts) -> Decision:
    health = _health_seen(facts)
    progress = replace(
        facts.progress,
        ran=True,
        stuck=False,
        silent_since=_silent_since(facts),
        video_stops=health.video.session_stops,
        records_stops=health.records.session_stops,
    )
    if facts.is_silent and _lasts_too_long(facts):
        return _end(facts, "silence")
    notices = _notices(replace(facts, health=health))
    return replace(_sleep(facts, math.inf, progress), health=health, notices=notices)


def _silent_since(facts: Facts) -> int:
    return (facts.progress.silent_since or facts.now_ms) if facts.is_silent else 0


def _lasts_too_long(facts: Facts) -> bool:
    """Return whether a silence ends the session; its first seconds are in `silence_seconds`."""
    settings = facts.session.settings
    left_s = max(0, settings.silence_limit_seconds - settings.silence_seconds)
    lasts_s = (facts.now_ms - _silent_since(facts)) / 1000
    return settings.on_silence == "end" and lasts_s >= left_s


def _health_seen(facts: Facts) -> CameraHealth:
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


def _notices(facts: Facts) -> tuple[Notice, ...]:
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
        left = _messages_left(facts)
        for number, change in enumerate(changes[:left]):
            due.append(_health_notice(facts, *change, left - number))
    return tuple(due)


def _messages_left(facts: Facts) -> int:
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


def _failure_notice(facts: Facts, *, is_over: bool) -> Notice | None:
    """Return the message that checks failed, once a session."""
    session, progress = facts.session, facts.progress
    wanted = "problem" in session.settings.tell and _messages_left(facts) > 0
    if not wanted or progress.failure_told or not progress.failed_checks:
        return None
    is_late = is_over and facts.now_ms - progress.failed_since >= LATE_FAILURE_MS
    since_ms = progress.failed_since if is_late else 0
    alert = texts.failed_checks(session, progress.failed_checks, since_ms, is_over=is_over)
    return Notice(alert, {"failure_told": True}, counts=True)


def _sleep(facts: Facts, seconds: float, progress: CheckProgress) -> Decision:
    """Sleep so long, at most until the next health check is due, and never past the deadline."""
    every_s = health_check_s(facts.session) * (1 + RETRY_PART * facts.retries)
    seconds = _payable(facts, progress, min(seconds, every_s))
    return Decision(SLEEP, progress, sleep_s=_until_deadline(facts, seconds))


def _payable(facts: Facts, progress: CheckProgress, seconds: float) -> float:
    """Return the seconds, or fewer if the engine may not run so long.

    Before it is started nothing is spent, however long the session waits for video.
    """
    budget = facts.budget
    if budget is None or budget.is_spent or not progress.is_started:
        return seconds
    return min(seconds, budget.seconds_left)


def _until_deadline(facts: Facts, seconds: float) -> int:
    left_s = (facts.session.deadline_ms - facts.now_ms) / 1000
    return max(1, math.ceil(min(seconds, left_s)))


def end_by_problem(facts: Facts, error: str, cause: str) -> Decision:
    """Return the end of a session by a problem."""
    return replace(_end(facts, "problem"), error=error, cause=cause)


def _end(facts: Facts, ended_by: str) -> Decision:
    return Decision(END, facts.progress, ended_by=ended_by)
