"""`./whosthere start`: start a session; print until when it runs and what it costs at most."""

import argparse
from typing import Any

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.effective_settings import parse_value, setting_rules
from cli.aws.sessions.session_start import plan_text, refuse_busy, session_price, start_session
from cli.aws.target import require_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError
from cli.interrupts import Interrupts
from whosthere import settings
from whosthere.clock import iso, now_ms

HELP = "start a session: search for faces until a time you choose"
EXAMPLE = "./whosthere start front-door --minutes 120"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser)
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
        camera = require_camera(target, arguments.camera)
        request = session_input(camera, arguments)
        refuse_busy(target, camera)
        plan = plan_text(target, camera, request)
        if not confirm(target, f"{plan}. Start?", yes=arguments.yes):
            raise InputError("nothing was started")
        session = start_session(target, request)
    until = format_time(session.deadline_ms, session.settings.time_zone, now_ms())
    price = session_price(target, session.deadline_ms - session.started_ms)
    content = {
        "session": session.id,
        "camera": camera,
        "execution": session.execution,
        "started": iso(session.started_ms),
        "until": iso(session.deadline_ms),
        "cost": price,
    }
    print_result(arguments, content, f"{camera} until {until}, {price}\nsession {session.id}")
    return 0


def session_input(camera: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the session's input; SessionInputError names each bad field."""
    request: dict[str, Any] = {"camera": camera}
    if arguments.until is not None:
        request["until"] = arguments.until
    else:
        request["minutes"] = arguments.minutes
    if arguments.settings:
        request["settings"] = dict(_parse_setting(text) for text in arguments.settings)
    settings.check(request, "input", "input")
    return request


def _parse_setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: has to be NAME=VALUE, such as strangers=off")
    return name, parse_value(value, setting_rules().get(name, {}))
