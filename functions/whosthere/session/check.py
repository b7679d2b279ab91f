"""One check of a session: reads the facts, decides, tells the owner, notes it and answers."""

import time
from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere.clock import now_ms
from whosthere.costs.limits import Budget, read_budget
from whosthere.costs.usage import Metered
from whosthere.dynamodb import Row, RowChangedError
from whosthere.errors import NewerRowError, VideoStreamGoneError, loggable, name_of_error
from whosthere.session.decision import decide, decide_without, ends_at_once
from whosthere.session.facts import Facts
from whosthere.session.health.hysteresis import CameraHealth, read_camera_health
from whosthere.session.lock import is_whole, make_whole
from whosthere.session.notes import note
from whosthere.session.open import NextStep
from whosthere.session.progress import END, progress_of
from whosthere.session.requests import requests_of
from whosthere.session.sources import CheckContext, look_at_records, read_engine, read_media
from whosthere.session.steps import Decision, end_by_problem
from whosthere.session_store import lock_key, session_key, session_of

# What fails is tried again after pauses, unless its answer took so long that the function would
# be killed: nothing was decided then.
RETRY_PAUSES_S = (1.0, 2.0)
LONGEST_TRY_S = 10.0


class CheckAnswer(NextStep):
    """What the state machine does next; `requests` is the count that the answer has seen.

    `failedChecks` is how many have failed in a row, with this one.
    """

    requests: str
    failedChecks: int
    ending: dict[str, str]


def check_session(
    context: CheckContext, session_id: str, camera: str, *, failed_checks: int, retries: int
) -> CheckAnswer:
    """Return what the state machine does next, and which requests that answers.

    The lock is read first: `requests` covers all that is read after it, so that the machine's
    sleep is refused if one came since. What fails after that is answered too: only so does the
    machine know how many requests there are, and sleep.
    """
    try:
        lock = dynamodb.read(context.table, lock_key(camera)) or {}
        row = dynamodb.read(context.table, session_key(session_id)) or {}
    except NewerRowError as error:
        return _ended("NewerRowError", str(error))
    session = session_of(session_id, row, lock)
    if session is None:
        return _ended("LockLostError", "there is no such session")
    moment_ms = now_ms()
    facts = Facts(
        session,
        moment_ms,
        requests_of(lock, session_id),
        progress_of(row).metered(moment_ms),
        failed_checks=failed_checks,
        retries=retries,
    )
    if session.held and not is_whole(lock):
        make_whole(context.table, session)
    return _answer(facts, _check(context, facts, row))


def _ended(error: str, cause: str) -> CheckAnswer:
    """Return the end of a session that cannot be read."""
    ending = {"endedBy": "problem", "Error": error, "Cause": cause}
    return {"next": END, "sleepSeconds": 1, "requests": "0", "failedChecks": 0, "ending": ending}


def _check(context: CheckContext, facts: Facts, row: Row) -> Decision:
    """Return what comes next, also if that cannot be decided after some retries."""
    began, pauses = time.monotonic(), iter(RETRY_PAUSES_S)
    while True:
        try:
            if not ends_at_once(facts):
                facts = replace(facts, health=_read_health(context, facts))
            decision = _decided(context, facts, row)
            return note(context, facts, decision, row)
        except RowChangedError:
            raise  # another copy of this check is at work
        except Exception as error:
            context.logger.warning("check failed", extra=loggable(error))
            pause_s = next(pauses, None)
            if pause_s is None or time.monotonic() - began > LONGEST_TRY_S:
                return _failed(context, facts, row, error)
        time.sleep(pause_s)


def _failed(context: CheckContext, facts: Facts, row: Row, error: Exception) -> Decision:
    with suppress(BotoCoreError, ClientError):  # unread, it holds no message back
        facts = replace(facts, health=_read_health(context, facts))
    with suppress(BotoCoreError, ClientError):  # what failed costs no less while it fails
        facts = replace(facts, budget=_read_budget(context, facts, row))
    decision = decide_without(facts, name_of_error(error), str(error))
    try:
        return note(context, facts, decision, row)
    except RowChangedError:
        raise
    except Exception as failure:  # then the next check tells
        context.logger.warning("check not noted", extra=loggable(failure))
    return decision


def _decided(context: CheckContext, facts: Facts, row: Row) -> Decision:
    end = ends_at_once(facts)
    if end and not facts.session.held:
        return end
    if end:  # the report counts what came until now
        look_at_records(context, facts, row, searching=False)
        return end
    try:
        # A pause needs no media: it is heard although those cannot be read.
        is_paused = facts.is_paused or _stays_limited(context, facts, row)
        media = None if is_paused else read_media(context, facts)
        if media is not None:
            facts = replace(facts, progress=facts.progress.with_video(media))
    except VideoStreamGoneError as error:
        look_at_records(context, facts, row, searching=False)
        return end_by_problem(facts, type(error).__name__, str(error))
    facts = replace(facts, media=media, engine=read_engine(context, facts.session))
    facts = replace(facts, budget=_read_budget(context, facts, row))
    seen = look_at_records(context, facts, row, searching=facts.is_searching)
    facts = replace(facts, records_problem=seen.problem, awaits_image=bool(seen.imageless))
    return decide(facts)


def _stays_limited(context: CheckContext, facts: Facts, row: Row) -> bool:
    """Return whether the session was paused at a limit, and still is."""
    if not facts.progress.is_limited:
        return False
    return replace(facts, budget=_read_budget(context, facts, row)).is_over_limit


def _read_budget(context: CheckContext, facts: Facts, row: Row) -> Budget | None:
    metered = Metered(facts.progress.engine_ms, facts.progress.video_bytes)
    return read_budget(context.table, facts.session, row, context.prices, facts.now_ms, metered)


def _read_health(context: CheckContext, facts: Facts) -> CameraHealth:
    return read_camera_health(context.table, facts.session.camera)


def _answer(facts: Facts, decision: Decision) -> CheckAnswer:
    return {
        "next": decision.next,
        "sleepSeconds": decision.sleep_s,
        "requests": str(facts.requests.count or 0),  # as DynamoDB takes a number
        "failedChecks": decision.failed_checks,
        "ending": {
            "endedBy": decision.ended_by,
            "Error": decision.error,
            "Cause": decision.cause,
        },
    }
