"""`./whosthere start`: start a session; print until when it runs and what it costs at most."""

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.effective_settings import parse_value, setting_rules
from cli.aws.sessions.all_cameras import (
    BUSY,
    REFUSED,
    STARTED,
    no_camera_beside_all,
    plan_all_text,
    print_results,
    start_all,
)
from cli.aws.sessions.session_start import plan_session, refuse_busy, start_session
from cli.aws.target import Target, require_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.progress import Progress
from whosthere import settings
from whosthere.clock import iso, now_ms
from whosthere.costs.calculator import line_json

HELP = "start a session: search for faces until a time you choose"
EXAMPLE = "./whosthere start front-door --minutes 120"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser)
    parser.add_argument("--all", action="store_true", help="at every camera of the stack at once")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, metavar="N", help="at most 1440, which is a day")
    length.add_argument("--until", metavar="HH:MM", help="in the owner's time zone (`timeZone`)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="a setting for this session only; may be given several times",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Start the session and return the exit code."""
    with connect(arguments) as target:
        if arguments.all:
            return _start_everywhere(target, arguments)
        camera = require_camera(target, arguments.camera)
        request = session_input(camera, arguments)
        refuse_busy(target, camera)
        plan = plan_session(target, camera, request)
        print(f"The most that this session can cost:\n{plan.cost_lines}", file=sys.stderr)
        if not confirm(target, f"{plan}. Start?", yes=arguments.yes):
            raise InputError("nothing was started")
        session = start_session(target, request)
    until = format_time(session.deadline_ms, session.settings.time_zone, now_ms())
    content = {
        "session": session.id,
        "camera": camera,
        "execution": session.execution,
        "started": iso(session.started_ms),
        "until": iso(session.deadline_ms),
        "cost": plan.price,
        "costLines": [line_json(line) for line in plan.cost.lines],
    }
    print_result(arguments, content, f"{camera} until {until}, {plan.price}\nsession {session.id}")
    return 0


def _start_everywhere(target: Target, arguments: argparse.Namespace) -> int:
    """Start a session at every camera; return 1 if one was refused: a busy one runs already."""
    no_camera_beside_all(arguments)
    request = session_input(target.cameras[0], arguments)
    if not confirm(target, f"{plan_all_text(target, request)}. Start?", yes=arguments.yes):
        raise InputError("nothing was started")
    del request["camera"]
    found = start_all(target, request, Progress(to_stderr=arguments.json))
    return print_results(arguments, found, (STARTED, BUSY, REFUSED))


def session_input(camera: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the session's input; SessionInputError names each bad field."""
    request: dict[str, Any] = {"camera": camera}
    if arguments.until is not None:
        request["until"] = arguments.until
    else:
        request["minutes"] = arguments.minutes
    if arguments.settings:
        request["settings"] = parse_settings(arguments.settings)
    settings.check(request, "input", "input")
    return request


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Return settings that are given as `NAME=VALUE`, by name."""
    return dict(map(_parse_setting, texts))


def _parse_setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: has to be NAME=VALUE, such as strangers=off")
    return name, parse_value(value, setting_rules().get(name, {}))
