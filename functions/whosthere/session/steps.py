"""The steps that a check can answer with: sleep, end, and what they note."""

import math
from dataclasses import dataclass, replace

from whosthere.session.facts import Facts
from whosthere.session.health.hysteresis import CameraHealth
from whosthere.session.notices import Notice
from whosthere.session.open import health_check_s
from whosthere.session.progress import END, SLEEP, CheckProgress

# A check of 13 events that needed retries, of 3 events each, lets this part of its sleep more
# go by for each, so that a day of them has no more events than one without.
RETRY_PART = 1 / 3


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


def sleep(facts: Facts, seconds: float, progress: CheckProgress) -> Decision:
    """Sleep so long, at most until the next health check is due, and never past the deadline."""
    every_s = health_check_s(facts.session) * (1 + RETRY_PART * facts.retries)
    seconds = payable(facts, progress, min(seconds, every_s))
    return Decision(SLEEP, progress, sleep_s=until_deadline(facts, seconds))


def payable(facts: Facts, progress: CheckProgress, seconds: float) -> float:
    """Return the seconds, or fewer if the engine may not run so long.

    Before it is started nothing is spent, however long the session waits for video.
    """
    budget = facts.budget
    if budget is None or budget.is_spent or not progress.is_started:
        return seconds
    return min(seconds, budget.seconds_left)


def until_deadline(facts: Facts, seconds: float) -> int:
    """Return whole seconds of a sleep, at most those until the deadline."""
    left_s = (facts.session.deadline_ms - facts.now_ms) / 1000
    return max(1, math.ceil(min(seconds, left_s)))


def end_by_problem(facts: Facts, error: str, cause: str) -> Decision:
    """Return the end of a session by a problem."""
    return replace(end(facts, "problem"), error=error, cause=cause)


def end(facts: Facts, ended_by: str) -> Decision:
    """Return the end of a session as planned, or by what its cause is called."""
    return Decision(END, facts.progress, ended_by=ended_by)
