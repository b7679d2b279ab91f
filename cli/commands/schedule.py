"""`./whosthere schedule`: sessions that begin by themselves, on the owner's clock."""

import argparse
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.aws.connect import add_options, talking, tell
from cli.aws.price import at_most
from cli.aws.target import Target, camera_name, known_camera
from cli.aws.weekdays import EVERY_DAY, NAMES, read_days, written
from cli.aws.weekly_schedule import Span, Weekly, check_apart, is_span, read_span, skipped
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere import settings, settings_file

HELP = "begin a session at a time of every day, or of some; without a span: all schedules"
EXAMPLE = './whosthere schedule front-door "22:00-06:00" --days mon-fri'
# A start that comes later than this is none: past the end it would ask for nearly a day.
START_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Planned:
    """Sessions that begin at times of the week, on the clock of that time zone."""

    camera: str
    weekly: Weekly
    time_zone: str

    def __str__(self) -> str:
        return f"{self.camera} {self.weekly}, {self.time_zone}"

    @property
    def name(self) -> str:
        """Name of its schedule."""
        days = self.weekly.days
        name = f"{self.camera}.{str(self.weekly.span).replace(':', '')}"
        return name if days == EVERY_DAY else f"{name}.{written(days, '_')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[camera] [span]",
        help="the camera may be left out if the stack has only one; 22:00-06:00",
    )
    add_options(parser, camera=False)
    parser.add_argument(
        "--days",
        type=read_days,
        help="on which it begins, mon-fri or sat,sun (default: every day); "
        "a night belongs to the day it begins on",
    )
    parser.add_argument("--remove", action="store_true", help="begin no more sessions at that span")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Create, remove or list schedules and give the exit code."""
    given, span = _read(arguments.words)
    if span is None and (arguments.remove or arguments.days):
        raise InputError("say which: ./whosthere schedule front-door 22:00-06:00 --remove")
    with talking(arguments) as target:
        said = ""
        if span and arguments.remove:
            said = remove(target, camera_name(target, given), span, arguments.days)
        elif span:
            weekly = Weekly(span, arguments.days or EVERY_DAY)
            said = create(target, known_camera(target, given), weekly)
        kept = [one for one in schedules(target) if given in (None, one.camera)]
    text = said or "\n".join(str(one) for one in kept) or "nothing is scheduled"
    tell(arguments, {"schedules": [_content(one) for one in kept]}, text)
    return 0


def _content(one: Planned) -> dict[str, Any]:
    return {
        "camera": one.camera,
        "span": str(one.weekly.span),
        "days": [NAMES[day] for day in sorted(one.weekly.days)],
        "timeZone": one.time_zone,
    }


def _read(words: list[str]) -> tuple[str | None, Span | None]:
    spans = [word for word in words if is_span(word)]
    cameras = [word for word in words if word not in spans]
    if len(spans) > 1 or len(cameras) > 1 or any(":" in camera for camera in cameras):
        raise InputError(f"{' '.join(words)!r}: say a camera and a span, front-door 22:00-06:00")
    return next(iter(cameras), None), read_span(spans[0]) if spans else None


def create(target: Target, camera: str, weekly: Weekly) -> str:
    """Make the schedule; what to tell of it. InputError if it cannot be right."""
    span = weekly.span
    file = settings_file.read(target.client("s3"), target.output("BucketName"))
    planned = Planned(camera, weekly, str(settings.merge(file, camera, {})["timeZone"]))
    today = datetime.now(settings.zone(planned.time_zone)).date()
    if day := skipped(weekly, planned.time_zone, today):
        raise InputError(
            f"{span}: on {day} the clocks of {planned.time_zone} skip the begin, and no session "
            "would start. Begin an hour earlier or later"
        )
    check_apart(weekly, [one.weekly for one in schedules(target) if one.camera == camera])
    target.client("scheduler").create_schedule(
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
            "RetryPolicy": {"MaximumEventAgeInSeconds": START_SECONDS},
        },
    )
    return f"{planned}; each {at_most(target.engine, span.minutes)}"


def remove(target: Target, camera: str, span: Span, days: frozenset[int] | None) -> str:
    """Remove the camera's schedules of that span, on those days if any are said; what to tell.

    A session that runs goes on.
    """
    gone = [
        one
        for one in schedules(target)
        if (one.camera, one.weekly.span) == (camera, span) and days in (None, one.weekly.days)
    ]
    if not gone:
        raise InputError(f"{camera} has no schedule {Weekly(span, days) if days else span}")
    for one in gone:
        group = target.output("ScheduleGroupName")
        target.client("scheduler").delete_schedule(Name=one.name, GroupName=group)
    return "\n".join(f"{one}: removed; a session that runs goes on" for one in gone)


def schedules(target: Target) -> list[Planned]:
    """The stack's schedules by camera and begin."""
    scheduler, group = target.client("scheduler"), target.output("ScheduleGroupName")
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    names = [found["Name"] for page in pages for found in page["Schedules"]]
    kept = [scheduler.get_schedule(Name=name, GroupName=group) for name in names]
    found = [planned for one in kept if (planned := _planned(one))]
    return sorted(found, key=lambda one: (one.camera, one.weekly.begins, one.name))


def _planned(found: dict[str, Any]) -> Planned | None:
    camera, _, rest = found["Name"].partition(".")
    digits, _, days = rest.partition(".")
    text = f"{digits[:2]}:{digits[2:7]}:{digits[7:]}"
    if not is_span(text):  # somebody's own
        return None
    weekly = Weekly(read_span(text), read_days(days.replace("_", ",")) if days else EVERY_DAY)
    return Planned(camera, weekly, found["ScheduleExpressionTimezone"])
