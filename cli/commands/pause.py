"""`./whosthere pause`: let a running session search no faces for a while."""

import argparse

from cli.aws.connect import add_options, connect, print_result
from cli.aws.target import resolve_camera
from cli.aws.time_formats import format_time, is_duration, parse_minutes
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere.clock import iso, now_ms
from whosthere.session.requests import request_pause
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


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Pause or resume the session and return the exit code."""
    given, minutes = _parse_words(arguments.words, off=arguments.off)
    with connect(arguments) as target:
        camera = resolve_camera(target, given)
        table, now = target.table(), now_ms()
        until_ms = now + 60_000 * minutes
        session_id = request_pause(table, target.session.client("stepfunctions"), camera, until_ms)
        session = read_session(table, session_id) if session_id else None
    if session is None:
        raise InputError(f"{camera}: no session runs")
    content = {"camera": camera, "session": session.id}
    if arguments.off:
        print_result(arguments, content | {"pausedUntil": None}, f"{camera}: goes on")
        return 0
    text = f"{camera}: paused until {format_time(until_ms, session.settings.time_zone, now)}"
    if until_ms >= session.deadline_ms:
        text += "; the session's own deadline is sooner and ends it"
    print_result(arguments, content | {"pausedUntil": iso(until_ms)}, text)
    return 0


def _parse_words(words: list[str], *, off: bool) -> tuple[str | None, int]:
    lengths = [word for word in words if is_duration(word)]
    cameras = [word for word in words if word not in lengths]
    if len(cameras) > 1 or len(lengths) != (0 if off else 1):
        raise InputError("say for how long, or --off: ./whosthere pause front-door 1h")
    return next(iter(cameras), None), parse_minutes(lengths[0]) if lengths else 0
