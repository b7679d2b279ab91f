"""Spans of the day such as 22:00-06:00, and what calendar and clock do to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from cli.aws.weekdays import EVERY_DAY, NAMES, written
from cli.errors import InputError
from whosthere.settings import zone

SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
# A session takes its time to begin, up to a minute, and to end; the camera is busy meanwhile.
APART_MINUTES = 5
AHEAD_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Span:
    """From one minute of the day to another one, which may be of the next day."""

    begin: int
    end: int

    def __str__(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"

    @property
    def until(self) -> str:
        """Its end, as a session's input says it."""
        return _clock(self.end)

    @property
    def minutes(self) -> int:
        """How long it is where the clocks don't change."""
        return (self.end - self.begin) % DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Weekly:
    """A span and the days of the week on which it begins; Monday is 0."""

    span: Span
    days: frozenset[int] = EVERY_DAY

    def __str__(self) -> str:
        days = "every day" if self.days == EVERY_DAY else written(self.days)
        return f"{self.span} {days}"

    @property
    def cron(self) -> str:
        """Its begins, as EventBridge Scheduler takes them."""
        days = ",".join(NAMES[day].upper() for day in sorted(self.days))
        day_fields = "* * ?" if self.days == EVERY_DAY else f"? * {days}"
        return f"cron({self.span.begin % 60} {self.span.begin // 60} {day_fields} *)"

    @property
    def begins(self) -> list[int]:
        """Its begins in minutes of the week."""
        return [day * DAY_MINUTES + self.span.begin for day in sorted(self.days)]


def is_span(text: str) -> bool:
    """Whether it is written as a span of the day."""
    return SPAN.fullmatch(text) is not None


def read_span(text: str) -> Span:
    """The span; InputError if it is none, or too short for a session or too long."""
    found = SPAN.fullmatch(text)
    if not found:
        raise InputError(f"{text!r} is no span of the day: say 22:00-06:00")
    numbers = [int(part) for part in found.groups()]
    span = Span(60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3])
    if not APART_MINUTES <= span.minutes <= DAY_MINUTES - APART_MINUTES:
        raise InputError(
            f"{text}: a session takes at least {APART_MINUTES} minutes, and a camera has to be "
            f"free for {APART_MINUTES} before the next one"
        )
    return span


def check_apart(one: Weekly, others: Iterable[Weekly]) -> None:
    """InputError if the camera would still be busy with another one when this one begins."""
    for other in others:
        if not all(
            _lie_apart(one, begin, other, at) for begin in one.begins for at in other.begins
        ):
            raise InputError(
                f"{one} comes too close to {other}, which is scheduled already: leave "
                f"{APART_MINUTES} minutes between two sessions of a camera"
            )


def _lie_apart(one: Weekly, begin: int, other: Weekly, at: int) -> bool:
    lengths = one.span.minutes, other.span.minutes
    gaps = (begin - at - lengths[1]) % WEEK_MINUTES, (at - begin - lengths[0]) % WEEK_MINUTES
    # Around the week both spans and both gaps make up one week, unless the spans overlap.
    return sum(gaps) + sum(lengths) == WEEK_MINUTES and min(gaps) >= APART_MINUTES


def skipped(one: Weekly, time_zone: str, today: date) -> date | None:
    """The next day, within three years, on which the clocks skip its begin.

    EventBridge Scheduler starts nothing then (user guide, "Daylight saving time on
    EventBridge Scheduler"); where a time comes twice it starts once.
    """
    there = zone(time_zone)
    begin = time(one.span.begin // 60, one.span.begin % 60)
    for ahead in range(AHEAD_DAYS):
        wall = datetime.combine(today + timedelta(days=ahead), begin)
        as_shown = wall.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None)
        if as_shown != wall and wall.weekday() in one.days:
            return wall.date()
    return None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
