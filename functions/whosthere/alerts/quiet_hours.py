"""Quiet hours: times of day at which nobody is told of persons and strangers."""

from collections.abc import Iterable
from datetime import datetime

from whosthere.alerts import mute as mutes
from whosthere.dynamodb import Table
from whosthere.settings import Settings, zone


def is_quiet(
    table: Table, settings: Settings, who: list[str], captured_ms: int, now_ms: int
) -> bool:
    """Return whether alerts about these ids are suppressed: by quiet hours or by a mute.

    Quiet hours go by the time of capture; a mute also holds for alerts that are due now.
    """
    if in_hours(captured_ms, settings.quiet_hours, settings.time_zone):
        return True
    return mutes.is_muted(table, who, captured_ms, now_ms)


def in_hours(moment_ms: int, hours: Iterable[str], time_zone: str) -> bool:
    """Whether a moment lies in one of the spans `22:00-06:00` on the owner's wall clock.

    The begin belongs to it, the end does not; two equal ones are the whole day. By the
    wall clock it is right when the clocks change: that night is an hour longer or shorter.
    """
    spans = list(hours)
    if not spans:
        return False
    wall = datetime.fromtimestamp(moment_ms / 1000, zone(time_zone)).strftime("%H:%M")
    return any(_lies_in(wall, *span.split("-")) for span in spans)


def _lies_in(wall: str, begin: str, end: str) -> bool:
    if begin < end:
        return begin <= wall < end
    return wall >= begin or wall < end
