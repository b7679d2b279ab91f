"""`./whosthere schedule`: sessions that begin every day by themselves, on the owner's clock."""

import argparse
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.price import at_most
from cli.spans import Span, check_apart, is_span, read_span, skipped
from cli.talk import add_options, talking, tell
from cli.target import Target, camera_name, known_camera
from whosthere import settings, settings_file

HELP = "begin a session every day at a time; without a span: all schedules"
EXAMPLE = './whosthere schedule front-door "22:00-06:00"'
# A start that comes later than this is none: past the end it would ask for nearly a day.
START_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Daily:
    """A session that begins each day, on the clock of that time zone."""

    camera: str
    span: Span
    time_zone: str

    @property
    def name(self) -> str:
        """Name of its schedule."""
        return f"{self.camera}.{str(self.span).replace(':', '')}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[camera] [span]",
        help="the camera may be left out if the stack has only one; 22:00-06:00",
    )
    add_options(parser, camera=False)
    parser.add_argument("--remove", action="store_true", help="begin no more sessions at that span")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Create, remove or list schedules and give the exit code."""
    given, span = _read(arguments.words)
    if arguments.remove and span is None:
        raise InputError("say which: ./whosthere schedule front-door 22:00-06:00 --remove")
    with talking(arguments) as target:
        said = ""
        if span and arguments.remove:
            said = remove(target, camera_name(target, given), span)
        elif span:
            said = create(target, known_camera(target, given), span)
        kept = [one for one in schedules(target) if given in (None, one.camera)]
    content = {
        "schedules": [
            {"camera": one.camera, "span": str(one.span), "timeZone": one.time_zone} for one in kept
        ]
    }
    lines = [f"{one.camera} {one.span} every day, {one.time_zone}" for one in kept]
    tell(arguments, content, said or "\n".join(lines) or "nothing is scheduled")
    return 0


def _read(words: list[str]) -> tuple[str | None, Span | None]:
    spans = [word for word in words if is_span(word)]
    cameras = [word for word in words if word not in spans]
    if len(spans) > 1 or len(cameras) > 1 or any(":" in camera for camera in cameras):
        raise InputError(f"{' '.join(words)!r}: say a camera and a span, front-door 22:00-06:00")
    return next(iter(cameras), None), read_span(spans[0]) if spans else None


def create(target: Target, camera: str, span: Span) -> str:
    """Make the schedule; what to tell of it. InputError if it cannot be right."""
    file = settings_file.read(target.client("s3"), target.output("BucketName"))
    daily = Daily(camera, span, str(settings.merge(file, camera, {})["timeZone"]))
    today = datetime.now(settings.zone(daily.time_zone)).date()
    if day := skipped(span, daily.time_zone, today):
        raise InputError(
            f"{span}: on {day} the clocks of {daily.time_zone} skip the begin, and no session "
            "would start. Begin an hour earlier or later"
        )
    check_apart(span, [one.span for one in schedules(target) if one.camera == camera])
    target.client("scheduler").create_schedule(
        Name=daily.name,
        GroupName=target.output("ScheduleGroupName"),
        Description=f"A session at {camera} from {str(span).replace('-', ' to ')}",
        ScheduleExpression=span.cron,
        ScheduleExpressionTimezone=daily.time_zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target.output("StateMachineArn"),
            "RoleArn": target.output("ScheduleRoleArn"),
            "Input": json.dumps({"camera": camera, "until": span.until}),
            "RetryPolicy": {"MaximumEventAgeInSeconds": START_SECONDS},
        },
    )
    price = at_most(target.engine, span.minutes)
    return f"{camera} {span} every day, {daily.time_zone}; each {price}"


def remove(target: Target, camera: str, span: Span) -> str:
    """Remove the schedule; what to tell of it. A session that runs goes on."""
    try:
        target.client("scheduler").delete_schedule(
            Name=Daily(camera, span, "").name, GroupName=target.output("ScheduleGroupName")
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise InputError(f"{camera} has no schedule {span}") from error
    return f"{camera} {span}: removed; a session that runs goes on"


def schedules(target: Target) -> list[Daily]:
    """The stack's schedules by camera and begin."""
    scheduler, group = target.client("scheduler"), target.output("ScheduleGroupName")
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    names = [found["Name"] for page in pages for found in page["Schedules"]]
    kept = [scheduler.get_schedule(Name=name, GroupName=group) for name in names]
    found = [daily for one in kept if (daily := _daily(one))]
    return sorted(found, key=lambda one: (one.camera, one.span.begin))


def _daily(found: dict[str, Any]) -> Daily | None:
    camera, _, digits = found["Name"].rpartition(".")
    text = f"{digits[:2]}:{digits[2:7]}:{digits[7:]}"
    if not is_span(text):  # somebody's own
        return None
    return Daily(camera, read_span(text), found["ScheduleExpressionTimezone"])
