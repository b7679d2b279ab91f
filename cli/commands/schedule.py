"""`./whosthere schedule`: start sessions automatically, on the owner's clock."""

import argparse
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cli.aws.connect import add_options, connect, print_result
from cli.aws.sessions.session_start import planned_cost, price_text
from cli.aws.sessions.weekly_schedule import (
    EVERY_DAY,
    WEEKDAYS,
    DaySpan,
    WeeklySpan,
    check_gap,
    format_days,
    is_span,
    next_skipped_day,
    parse_days,
    parse_span,
)
from cli.aws.target import Target, require_camera, resolve_camera
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.tables import format_table
from whosthere import settings, settings_file

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

HELP = "start a session every day, or on some days; without a span: list all schedules"
EXAMPLE = './whosthere schedule front-door "22:00-06:00" --days mon-fri'
# A later start is dropped: after the span's end, `until` would mean the next day's.
MAX_START_DELAY_SECONDS = 180


@dataclass(frozen=True, slots=True)
class SessionSchedule:
    """A camera's sessions that start every week, on the clock of a time zone."""

    camera: str
    weekly: WeeklySpan
    time_zone: str

    def __str__(self) -> str:
        """Return the schedule as messages show it."""
        return f"{self.camera} {self.weekly}, {self.time_zone}"

    @property
    def name(self) -> str:
        """Return the name that the schedule has in EventBridge Scheduler."""
        days = self.weekly.days
        name = f"{self.camera}.{str(self.weekly.span).replace(':', '')}"
        return name if days == EVERY_DAY else f"{name}.{format_days(days, '_')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[camera] [span]",
        help="the camera may be left out if the stack has only one; 22:00-06:00",
    )
    add_options(parser, camera=False)
    parser.add_argument(
        "--days",
        type=parse_days,
        help="on which it starts, mon-fri or sat,sun (default: every day); "
        "a night belongs to the day on which it starts",
    )
    parser.add_argument("--remove", action="store_true", help="remove the schedule of that span")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Create, remove or list schedules and return the exit code."""
    given, span = _parse_words(arguments.words)
    if span is None and (arguments.remove or arguments.days):
        raise InputError("say which: ./whosthere schedule front-door 22:00-06:00 --remove")
    with connect(arguments) as target:
        said = ""
        if span and arguments.remove:
            said = delete_schedule(target, resolve_camera(target, given), span, arguments.days)
        elif span:
            weekly = WeeklySpan(span, arguments.days or EVERY_DAY)
            said = create_schedule(target, require_camera(target, given), weekly)
        kept = [one for one in list_schedules(target) if given in (None, one.camera)]
    rows = ((one.camera, str(one.weekly), one.time_zone) for one in kept)
    text = said or format_table(rows) or "nothing is scheduled"
    print_result(arguments, {"schedules": [_schedule_json(one) for one in kept]}, text)
    return 0


def _schedule_json(one: SessionSchedule) -> dict[str, Any]:
    return {
        "camera": one.camera,
        "span": str(one.weekly.span),
        "days": [WEEKDAYS[day] for day in sorted(one.weekly.days)],
        "timeZone": one.time_zone,
    }


def _parse_words(words: list[str]) -> tuple[str | None, DaySpan | None]:
    spans = [word for word in words if is_span(word)]
    cameras = [word for word in words if word not in spans]
    if len(spans) > 1 or len(cameras) > 1 or any(":" in camera for camera in cameras):
        raise InputError(f"{' '.join(words)!r}: say a camera and a span, front-door 22:00-06:00")
    return next(iter(cameras), None), parse_span(spans[0]) if spans else None


def create_schedule(target: Target, camera: str, weekly: WeeklySpan) -> str:
    """Create the schedule and return a text about it; InputError if it cannot work."""
    span = weekly.span
    file = settings_file.read(target.session.client("s3"), target.output("BucketName"))
    values = settings.merge(file, camera, {})
    planned = SessionSchedule(camera, weekly, str(values["timeZone"]))
    today = datetime.now(ZoneInfo(planned.time_zone)).date()
    if day := next_skipped_day(weekly, planned.time_zone, today):
        raise InputError(
            f"{span}: on {day} the clocks of {planned.time_zone} skip {str(span)[:5]}, and no "
            "session would start. Choose a start an hour earlier or later"
        )
    check_gap(weekly, [one.weekly for one in list_schedules(target) if one.camera == camera])
    target.session.client("scheduler").create_schedule(
        Name=planned.name,
        GroupName=target.output("ScheduleGroupName"),
        Description=f"A session at {camera} from {str(span).replace('-', ' to ')}",
        ScheduleExpression=weekly.cron,
        ScheduleExpressionTimezone=planned.time_zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target.output("StateMachineArn"),
            "RoleArn": target.output("ScheduleRoleArn"),
            "Input": json.dumps({"camera": camera, "until": span.until}),
            "RetryPolicy": {"MaximumEventAgeInSeconds": MAX_START_DELAY_SECONDS},
        },
    )
    cost = planned_cost(target, span.minutes, values)
    return f"{planned}; each {price_text(target, cost, float(values.get('maxDollars', 0)))}"


def delete_schedule(target: Target, camera: str, span: DaySpan, days: frozenset[int] | None) -> str:
    """Delete the camera's schedules of that span and, if given, those days; return a text.

    A running session continues.
    """
    gone = [
        one
        for one in list_schedules(target)
        if (one.camera, one.weekly.span) == (camera, span) and days in (None, one.weekly.days)
    ]
    if not gone:
        raise InputError(f"{camera} has no schedule {WeeklySpan(span, days) if days else span}")
    for one in gone:
        group = target.output("ScheduleGroupName")
        target.session.client("scheduler").delete_schedule(Name=one.name, GroupName=group)
    return "\n".join(f"{one}: removed; a running session continues" for one in gone)


def list_schedules(target: Target) -> list[SessionSchedule]:
    """Return the stack's schedules, ordered by camera and start."""
    scheduler, group = target.session.client("scheduler"), target.output("ScheduleGroupName")
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    names = [found["Name"] for page in pages for found in page["Schedules"]]
    kept = [scheduler.get_schedule(Name=name, GroupName=group) for name in names]
    found = [planned for one in kept if (planned := _parse_schedule(one))]
    return sorted(found, key=lambda one: (one.camera, one.weekly.starts, one.name))


def _parse_schedule(found: "GetScheduleOutputTypeDef") -> SessionSchedule | None:
    camera, _, rest = found["Name"].partition(".")
    digits, _, days = rest.partition(".")
    text = f"{digits[:2]}:{digits[2:7]}:{digits[7:]}"
    if not is_span(text):  # not made by this verb
        return None
    weekly = WeeklySpan(parse_span(text), parse_days(days.replace("_", ",")) if days else EVERY_DAY)
    return SessionSchedule(camera, weekly, found["ScheduleExpressionTimezone"])
