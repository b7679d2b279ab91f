"""What one check of a session has read, and what follows from it at once."""

from dataclasses import dataclass, field

from whosthere.costs.limits import Budget
from whosthere.session.engine import IS_GONE, IS_RUNNING, STREAM_PROCESSOR, EngineStatus
from whosthere.session.health.hysteresis import CameraHealth
from whosthere.session.health.media import Media
from whosthere.session.progress import CheckProgress
from whosthere.session.requests import SessionRequests
from whosthere.session_store import Session


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
