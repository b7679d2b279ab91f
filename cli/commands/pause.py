"""`./whosthere pause`: let a running session search no faces for a while."""

import argparse

from cli.aws.cameras.camera_status import spent_limit
from cli.aws.connect import add_options, connect, print_result
from cli.aws.target import resolve_camera
from cli.aws.time_formats import format_time, is_duration, parse_minutes
from cli.commands.start import parse_settings
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere import settings
from whosthere.alerts.texts import limit_advice
from whosthere.clock import iso, now_ms
from whosthere.session.requests import request_limits, request_pause
from whosthere.session_store import read_session

HELP = "pause the face search of a running session; its deadline stays"
EXAMPLE = "./whosthere pause front-door 1h"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="[camera] length",
        help="the camera may be left out if the stack has only one; 45m, 2h, 1h30m",
    )
    add_options(parser, camera=False)
    parser.add_argument("--off", action="store_true", help="resume now")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="with --off, another maxDollars or maxDollarsMonth for the rest of this session",
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Pause or resume the session and return the exit code."""
    given, minutes = _parse_words(arguments.words, off=arguments.off)
    limits = _parse_limits(arguments)
    with connect(arguments) as target:
        camera = resolve_camera(target, given)
        table, now = target.table(), now_ms()
        until_ms, machine = now + 60_000 * minutes, target.session.client("stepfunctions")
        session_id = (
            request_limits(table, machine, camera, limits)
            if limits
            else request_pause(table, machine, camera, until_ms)
        )
        session = read_session(table, session_id) if session_id else None
        spent = spent_limit(table, camera, now) if arguments.off else ""
    if session is None:
        raise InputError(f"{camera}: no session runs")
    content: dict[str, object] = {"camera": camera, "session": session.id}
    if arguments.off:
        text = f"{spent} is spent. {limit_advice(camera, spent)}" if spent else "goes on"
        content |= {"pausedUntil": None, "limit": spent or None}
        print_result(arguments, content, f"{camera}: {text}")
        return 0
    text = f"{camera}: paused until {format_time(until_ms, session.settings.time_zone, now)}"
    if until_ms >= session.deadline_ms:
        text += "; the session's own deadline is sooner and ends it"
    print_result(arguments, content | {"pausedUntil": iso(until_ms)}, text)
    return 0


def _parse_limits(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the limits that are given, by the names of their settings."""
    limits = parse_settings(arguments.settings)
    if limits and not arguments.off:
        raise InputError("--set goes with --off: ./whosthere pause front-door --off --set ...")
    if others := sorted(set(limits) - {"maxDollars", "maxDollarsMonth"}):
        raise InputError(f"--set {others[0]}: only maxDollars and maxDollarsMonth can change now")
    settings.check(limits, "settings", "--set")
    return limits


def _parse_words(words: list[str], *, off: bool) -> tuple[str | None, int]:
    lengths = [word for word in words if is_duration(word)]
    cameras = [word for word in words if word not in lengths]
    if len(cameras) > 1 or len(lengths) != (0 if off else 1):
        raise InputError("say for how long, or --off: ./whosthere pause front-door 1h")
    return next(iter(cameras), None), parse_minutes(lengths[0]) if lengths else 0
