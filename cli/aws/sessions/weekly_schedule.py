"""Parse weekly schedules such as 22:00-06:00 mon-fri, and check them against calendar and clock."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from cli.errors import InputError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(len(WEEKDAYS)))
SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
# A session needs up to a minute to start, and time to end; meanwhile the camera is busy.
GAP_MINUTES = 5
LOOK_AHEAD_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class DaySpan:
    """A time span from one minute of the day to another, which may be on the next day."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return the span as `parse_span` reads it."""
        return f"{_format_clock(self.start)}-{_format_clock(self.end)}"

    @property
    def until(self) -> str:
        """Return the end, as a session's input takes it."""
        return _format_clock(self.end)

    @property
    def minutes(self) -> int:
        """Return the length on a day without a clock change."""
        return (self.end - self.start) % DAY_MINUTES


@dataclass(frozen=True, slots=True)
class WeeklySpan:
    """A span and the days of the week on which it starts; Monday is 0."""

    span: DaySpan
    days: frozenset[int] = EVERY_DAY

    def __str__(self) -> str:
        """Return the span and its days."""
        days = "every day" if self.days == EVERY_DAY else format_days(self.days)
        return f"{self.span} {days}"

    @property
    def cron(self) -> str:
        """Return the starts as a cron expression of EventBridge Scheduler."""
        days = ",".join(WEEKDAYS[day].upper() for day in sorted(self.days))
        day_fields = "* * ?" if self.days == EVERY_DAY else f"? * {days}"
        return f"cron({self.span.start % 60} {self.span.start // 60} {day_fields} *)"

    @property
    def starts(self) -> list[int]:
        """Return the starts in minutes of the week."""
        return [day * DAY_MINUTES + self.span.start for day in sorted(self.days)]


def is_span(text: str) -> bool:
    """Return whether the text is written as a span of the day."""
    return SPAN.fullmatch(text) is not None


def parse_span(text: str) -> DaySpan:
    """Parse a span; InputError if it is none, or too short or too long for a session."""
    found = SPAN.fullmatch(text)
    if not found:
        raise InputError(f"{text!r} is no span of the day: say 22:00-06:00")
    numbers = [int(part) for part in found.groups()]
    span = DaySpan(60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3])
    if not GAP_MINUTES <= span.minutes <= DAY_MINUTES - GAP_MINUTES:
        raise InputError(
            f"{text}: a session takes at least {GAP_MINUTES} minutes, and a camera has to be "
            f"free for {GAP_MINUTES} before the next one"
        )
    return span


def parse_days(text: str) -> frozenset[int]:
    """Parse days such as mon-fri or sat,sun; Monday is 0, and `fri-mon` is four days."""
    days: set[int] = set()
    for part in text.lower().split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or not set(ends) <= set(WEEKDAYS):
            raise InputError(f"{text!r} are no days of the week: say mon-fri or sat,sun")
        start, end = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days |= {(start + more) % 7 for more in range((end - start) % 7 + 1)}
    return frozenset(days)


def format_days(days: frozenset[int], separator: str = ",") -> str:
    """Return the days in the shortest form that `parse_days` reads, if separated by commas."""
    runs = groupby(enumerate(sorted(days)), key=lambda found: found[1] - found[0])
    parts = []
    for _, run in runs:
        names = [WEEKDAYS[day] for _, day in run]
        parts.append(names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}")
    return separator.join(parts)


def check_gap(one: WeeklySpan, others: Iterable[WeeklySpan]) -> None:
    """Raise InputError if the camera would still be busy with another session at a start."""
    for other in others:
        if not all(_have_gap(one, start, other, at) for start in one.starts for at in other.starts):
            raise InputError(
                f"{one} comes too close to {other}, which is scheduled already: leave "
                f"{GAP_MINUTES} minutes between two sessions of a camera"
            )


def _have_gap(one: WeeklySpan, start: int, other: WeeklySpan, at: int) -> bool:
    lengths = one.span.minutes, other.span.minutes
    gaps = (start - at - lengths[1]) % WEEK_MINUTES, (at - start - lengths[0]) % WEEK_MINUTES
    # Around the week both spans and both gaps make up one week, unless the spans overlap.
    return sum(gaps) + sum(lengths) == WEEK_MINUTES and min(gaps) >= GAP_MINUTES


def next_skipped_day(one: WeeklySpan, time_zone: str, today: date) -> date | None:
    """Return the next day, within three years, on which the clocks skip the start.

    EventBridge Scheduler starts nothing then (user guide, "Daylight saving time on
    EventBridge Scheduler"); a time that occurs twice starts one session.
    """
    there = ZoneInfo(time_zone)
    start = time(one.span.start // 60, one.span.start % 60)
    for ahead in range(LOOK_AHEAD_DAYS):
        wall = datetime.combine(today + timedelta(days=ahead), start)
        as_shown = wall.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None)
        if as_shown != wall and wall.weekday() in one.days:
            return wall.date()
    return None


def _format_clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
