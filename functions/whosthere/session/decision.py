"""What a session does next: a pure function of what its check has read.

The state machine asks for a check whenever it has done what the last one answered, and when
it wakes. A check may be asked twice for one answer: the same facts give the same answer, and
what the first one has noted changes none.
"""

import math
from dataclasses import replace

from whosthere.alerts import texts
from whosthere.session.engine import IS_GONE, IS_RUNNING, STREAM_PROCESSOR, EngineStatus
from whosthere.session.facts import Facts
from whosthere.session.notices import (
    Notice,
    due_notices,
    failure_notice,
    health_seen,
    messages_left,
)
from whosthere.session.open import after_failed_check, health_check_s
from whosthere.session.progress import END, SLEEP, START, STOP_ENGINE, CheckProgress
from whosthere.session.steps import Decision, end, end_by_problem, payable, sleep, until_deadline

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


def ends_at_once(facts: Facts) -> Decision | None:
    """Return the end of a session that was lost, asked to stop or is over, else None.

    This needs no more than the rows: what fails behind other services keeps no session from
    hearing a request.
    """
    if not facts.session.held:
        lost = "the session does not hold its camera any more"
        return end_by_problem(facts, "LockLostError", lost)
    if facts.requests.stop:
        return end(facts, "stop")
    if facts.now_ms >= facts.session.deadline_ms:
        return end(facts, "deadline")
    return None


def decide(facts: Facts) -> Decision:
    """Return what the session does next."""
    progress = _failures_noted(facts, facts.failed_checks)
    if not facts.is_over_limit:
        progress = progress.unlimited(facts.now_ms)
    facts = replace(facts, progress=progress)
    found = ends_at_once(facts) or _engine_failed(facts) or _over_limit(facts) or _goes_on(facts)
    left = messages_left(facts) - sum(notice.counts for notice in found.notices)
    if found.next == END or left < 1 or not (notice := failure_notice(facts, is_over=True)):
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
        notice = failure_notice(replace(facts, progress=progress), is_over=False)
    return Decision(
        SLEEP,
        progress,
        sleep_s=until_deadline(facts, payable(facts, progress, instead["sleepSeconds"])),
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
    return sleep(facts, left_s, progress)


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
        return end(facts, "no-media")
    often = facts.searching_s < SOON_S
    return sleep(facts, NO_MEDIA_S if often else LONG_NO_MEDIA_S, progress)


def _starting(facts: Facts, engine: EngineStatus) -> Decision:
    """Wait for the processor; recreate it once if it is stuck."""
    progress = replace(facts.progress, seen=facts.progress.seen or facts.now_ms)
    since_ms = facts.now_ms - progress.seen
    if engine.status == "STOPPED" and since_ms > SETTLE_MS:
        stopped = "the stream processor was started but is STOPPED"
        return end_by_problem(facts, "ProcessorStopped", stopped)
    if since_ms <= STUCK_MS and not progress.stuck:
        return sleep(facts, STARTING_S, progress)
    if progress.attempt == LAST_ATTEMPT:
        stuck = f"the stream processor stayed in {engine.status} for two minutes, twice"
        return end_by_problem(facts, "ProcessorStuck", stuck)
    return Decision(STOP_ENGINE, replace(progress, stuck=True))


def _searching(facts: Facts) -> Decision:
    health = health_seen(facts)
    progress = replace(
        facts.progress,
        ran=True,
        stuck=False,
        silent_since=_silent_since(facts),
        video_stops=health.video.session_stops,
        records_stops=health.records.session_stops,
    )
    if facts.is_silent and _lasts_too_long(facts):
        return end(facts, "silence")
    notices = due_notices(replace(facts, health=health))
    return replace(sleep(facts, math.inf, progress), health=health, notices=notices)


def _silent_since(facts: Facts) -> int:
    return (facts.progress.silent_since or facts.now_ms) if facts.is_silent else 0


def _lasts_too_long(facts: Facts) -> bool:
    """Return whether a silence ends the session; its first seconds are in `silence_seconds`."""
    settings = facts.session.settings
    left_s = max(0, settings.silence_limit_seconds - settings.silence_seconds)
    lasts_s = (facts.now_ms - _silent_since(facts)) / 1000
    return settings.on_silence == "end" and lasts_s >= left_s
