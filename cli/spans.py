"""Spans of the day such as 22:00-06:00: how long they are, and what the clock does to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from cli.errors import InputError
from whosthere.settings import zone

SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
DAY_MINUTES = 1440
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

    @property
    def cron(self) -> str:
        """Its begin each day, as EventBridge Scheduler takes it."""
        return f"cron({self.begin % 60} {self.begin // 60} * * ? *)"


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


def check_apart(span: Span, others: Iterable[Span]) -> None:
    """InputError if the camera would still be busy with another span when this one begins."""
    for other in others:
        gaps = [(span.begin - other.end) % DAY_MINUTES, (other.begin - span.end) % DAY_MINUTES]
        # Around the clock both spans and both gaps make up one day, unless the spans overlap.
        lies_apart = sum(gaps) + span.minutes + other.minutes == DAY_MINUTES
        if not lies_apart or min(gaps) < APART_MINUTES:
            raise InputError(
                f"{span} comes too close to {other}, which is scheduled already: leave "
                f"{APART_MINUTES} minutes between two sessions of a camera"
            )


def skipped(span: Span, time_zone: str, today: date) -> date | None:
    """The next day, within three years, on which the clocks skip the span's begin.

    EventBridge Scheduler starts nothing then (user guide, "Daylight saving time on
    EventBridge Scheduler"); where a time comes twice it starts once.
    """
    there = zone(time_zone)
    begin = time(span.begin // 60, span.begin % 60)
    for ahead in range(AHEAD_DAYS):
        wall = datetime.combine(today + timedelta(days=ahead), begin)
        if (
            wall.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None)
            != wall
        ):
            return wall.date()
    return None


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
