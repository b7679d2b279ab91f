"""`./whosthere start`: start a session; print until when it runs and what it costs at most."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cli.aws.connect import add_options, confirm, connect, print_result
from cli.aws.effective_settings import parse_value, setting_rules
from cli.aws.price import price_text
from cli.aws.target import Target, require_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from whosthere import settings, settings_file
from whosthere.clock import iso, now_ms
from whosthere.session.open import deadline_of
from whosthere.session_store import Session, latest_session, read_session

HELP = "start a session: search for faces until a time you choose"
EXAMPLE = "./whosthere start front-door --minutes 120"
# From StartExecution until the session holds its camera: a cold function takes some seconds.
OPEN_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.3


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
        _refuse_busy(target, camera)
        plan = _plan_text(target, camera, request)
        if not confirm(target, f"{plan}. Start?", yes=arguments.yes):
            raise InputError("nothing was started")
        session = start_session(target, request)
    until = format_time(session.deadline_ms, session.settings.time_zone, now_ms())
    price = _price_text(target, session.deadline_ms - session.started_ms)
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


def _refuse_busy(target: Target, camera: str) -> None:
    running = latest_session(target.table(), camera)
    if running and running.held:
        until = format_time(running.deadline_ms, running.settings.time_zone, now_ms())
        raise InputError(
            f"{camera} is busy: session {running.id} runs until {until}. "
            f"`./whosthere stop {camera}` ends it"
        )


def _plan_text(target: Target, camera: str, request: dict[str, Any]) -> str:
    file = settings_file.read(target.session.client("s3"), target.output("BucketName"))
    values = settings.merge(file, camera, request.get("settings", {}))
    now = now_ms()
    deadline_ms = deadline_of(request, now, values["timeZone"])
    until = format_time(deadline_ms, values["timeZone"], now)
    return f"{camera} until {until}, {_price_text(target, deadline_ms - now)}"


def _price_text(target: Target, length_ms: int) -> str:
    # Milliseconds that pass between plan and start must not count as another minute.
    price = price_text(target.engine, round(length_ms / 60_000, 1))
    return f"{price} on AWS, nothing here" if target.is_laptop else price


def start_session(target: Target, request: dict[str, Any]) -> Session:
    """Start the execution and wait for its session; VerbError if it is refused."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:4]}"
    execution = target.session.client("stepfunctions").start_execution(
        stateMachineArn=target.output("StateMachineArn"), name=name, input=json.dumps(request)
    )["executionArn"]
    try:
        return _wait_until_open(target, execution, name)
    except KeyboardInterrupt:
        print(f"\nsession {name} keeps running; `./whosthere stop` ends it", file=sys.stderr)
        raise


def _wait_until_open(target: Target, execution: str, name: str) -> Session:
    table, machine = target.table(), target.session.client("stepfunctions")
    until = time.monotonic() + OPEN_TIMEOUT_SECONDS
    while time.monotonic() < until:
        if session := read_session(table, name):
            return session
        found = machine.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            raise VerbError(f"not started: {found.get('cause') or found.get('error')}")
        time.sleep(POLL_SECONDS)
    raise VerbError(
        f"session {name} was requested, but has not started within {OPEN_TIMEOUT_SECONDS} s. "
        "`./whosthere sessions` shows what becomes of it"
    )
