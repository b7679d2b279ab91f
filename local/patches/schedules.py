"""EventBridge Scheduler: cron schedules follow their time zone.

A skipped local time does not fire and a repeated one fires once (user guide,
"Daylight saving time on EventBridge Scheduler"). One-time schedules stay in UTC.
"""

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from local.ministack import names

NextWall = Callable[[datetime], datetime | None]

# Before any minute that a schedule could ask for: MiniStack then finds it due.
LONG_AGO = 0.0
_looked: dict[Any, float] = {}


def install() -> None:
    """Patch MiniStack's schedules."""
    names.TICK_SCHEDULES.replace(_by_its_clock(names.TICK_SCHEDULES.get()))


def _by_its_clock(tick: Callable[[], None]) -> Callable[[], None]:
    """Make MiniStack fire a schedule when it is due in its time zone."""

    @functools.wraps(tick)
    def tick_schedules() -> None:
        now, fired = time.time(), names.SCHEDULE_LAST_FIRED.get()
        for key, schedule in list(names.SCHEDULES.get()._data.items()):
            zone = ZoneInfo(schedule["ScheduleExpressionTimezone"])
            fields = names.CRON_FIELDS.get()(schedule["ScheduleExpression"])
            if fields is None:
                continue
            next_wall = functools.partial(names.CRON_NEXT.get(), fields)
            last = max(_looked.get(key, 0), schedule["CreationDate"])
            is_now = is_due(next_wall, zone, last, now)
            fired[key] = LONG_AGO if is_now else now
            _looked[key] = now
        tick()

    return tick_schedules


def is_due(next_wall: NextWall, zone: ZoneInfo, last: float, now: float) -> bool:
    """Return whether a scheduled time lies after `last` and up to `now` (epoch seconds).

    `next_wall` gives the next time on a wall clock, which is written as if it were UTC.
    """
    wall = next_wall(datetime.fromtimestamp(last, zone).replace(tzinfo=UTC))
    while wall is not None:
        there = wall.replace(tzinfo=zone, fold=0)
        moment = there.timestamp()
        if moment > now:
            return False
        is_skipped = datetime.fromtimestamp(moment, zone).replace(fold=0) != there
        if not is_skipped and moment > last:
            return True
        wall = next_wall(wall)
    return False
