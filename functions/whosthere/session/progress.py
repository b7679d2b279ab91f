"""What the checks of a session note in its row, from one to the next."""

from dataclasses import asdict, dataclass, replace
from typing import TypedDict

from whosthere.costs.limits import Budget
from whosthere.dynamodb import Attributes, Row
from whosthere.session.health.media import Media

START, SLEEP, STOP_ENGINE, END = "start", "sleep", "stop-engine", "end"


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


def progress_of(row: Row) -> CheckProgress:
    """Return the progress that a session's row holds."""
    defaults, kept = asdict(CheckProgress()), row.get("check", {})
    return CheckProgress(
        **{name: type(value)(kept.get(name, value)) for name, value in defaults.items()}
    )


def as_row(progress: CheckProgress) -> Attributes:
    """Return the progress as the row holds it."""
    return asdict(progress)
