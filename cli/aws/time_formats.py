"""Parse durations and format times as people write them."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from cli.errors import InputError

LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?")
MINUTES = (1440, 60, 1)


def is_duration(text: str) -> bool:
    """Return whether the text is written as a duration."""
    return bool(text) and LENGTH.fullmatch(text.strip().lower()) is not None


def parse_minutes(text: str) -> int:
    """Parse a duration such as `2h`, `90m`, `1h30m` or `1d`; InputError if it is none."""
    found = LENGTH.fullmatch(text.strip().lower())
    parts = zip(found.groups(), MINUTES, strict=True) if found else ()
    minutes = sum(int(number or 0) * each for number, each in parts)
    if minutes == 0:
        raise InputError(f"{text!r} is no length of time: say 2h, 45m, 1h30m or 1d")
    return minutes


def format_time(moment_ms: int, time_zone: str, now_ms: int) -> str:
    """Format a time on the owner's clock, with the date unless it is today.

    The time zone is added if this machine's own clock shows another time.
    """
    there = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(time_zone))
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(time_zone)).date()
    text = there.strftime("%H:%M" if there.date() == today else "%a %d %b %H:%M")
    here = datetime.fromtimestamp(moment_ms / 1000).astimezone()
    return text if here.utcoffset() == there.utcoffset() else f"{text} {time_zone}"


def to_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)
