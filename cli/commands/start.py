"""`./whosthere start`: begins a session, says until when and what it costs at most."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cli.aws.connect import add_options, confirm, talking, tell
from cli.aws.durations import shown
from cli.aws.price import at_most
from cli.aws.target import Target, known_camera
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from whosthere import settings, settings_file
from whosthere.clock import iso, now_ms
from whosthere.session.open import deadline_of
from whosthere.session_store import Session, latest_session, read_session

HELP = "begin a session: faces are searched until a time you say"
EXAMPLE = "./whosthere start front-door --minutes 120"
# From asking for the session until it holds its camera: a cold function takes some seconds.
OPEN_SECONDS = 60
POLL_SECONDS = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
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
    """Start the session and give the exit code."""
    with talking(arguments) as target:
        camera = known_camera(target, arguments.camera)
        request = asked_for(camera, arguments)
        _refuse_busy(target, camera)
        plan = _plan(target, camera, request)
        if not confirm(target, f"{plan}. Start?", yes=arguments.yes):
            raise InputError("nothing was started")
        session = start(target, request)
    until = shown(session.deadline_ms, session.settings.time_zone, now_ms())
    price = _price(target, session.deadline_ms - session.started_ms)
    content = {
        "session": session.id,
        "camera": camera,
        "execution": session.execution,
        "started": iso(session.started_ms),
        "until": iso(session.deadline_ms),
        "cost": price,
    }
    tell(arguments, content, f"{camera} until {until}, {price}\nsession {session.id}")
    return 0


def asked_for(camera: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The session's input; SessionInputError names each bad field."""
    request: dict[str, Any] = {"camera": camera}
    if arguments.until is not None:
        request["until"] = arguments.until
    else:
        request["minutes"] = arguments.minutes
    if arguments.settings:
        request["settings"] = dict(_setting(text) for text in arguments.settings)
    settings.check(request, "input", "input")
    return request


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: has to be NAME=VALUE, such as strangers=off")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # strangers=off needs no quotes


def _refuse_busy(target: Target, camera: str) -> None:
    running = latest_session(target.table(), camera)
    if running and running.held:
        until = shown(running.deadline_ms, running.settings.time_zone, now_ms())
        raise InputError(
            f"{camera} is busy: session {running.id} runs until {until}. "
            f"`./whosthere stop {camera}` ends it"
        )


def _plan(target: Target, camera: str, request: dict[str, Any]) -> str:
    file = settings_file.read(target.client("s3"), target.output("BucketName"))
    values = settings.merge(file, camera, request.get("settings", {}))
    now = now_ms()
    deadline_ms = deadline_of(request, now, values["timeZone"])
    until = shown(deadline_ms, values["timeZone"], now)
    return f"{camera} until {until}, {_price(target, deadline_ms - now)}"


def _price(target: Target, length_ms: int) -> str:
    # Milliseconds that go by between plan and start are no further minute.
    price = at_most(target.engine, round(length_ms / 60_000, 1))
    return f"{price} on AWS, nothing here" if target.is_laptop else price


def start(target: Target, request: dict[str, Any]) -> Session:
    """Start the execution; the session once it holds its camera, VerbError if it is refused."""
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:4]}"
    execution = target.client("stepfunctions").start_execution(
        stateMachineArn=target.output("StateMachineArn"), name=name, input=json.dumps(request)
    )["executionArn"]
    try:
        return _opened(target, execution, name)
    except KeyboardInterrupt:
        print(f"\nsession {name} goes on; `./whosthere stop` ends it", file=sys.stderr)
        raise


def _opened(target: Target, execution: str, name: str) -> Session:
    table, machine = target.table(), target.client("stepfunctions")
    until = time.monotonic() + OPEN_SECONDS
    while time.monotonic() < until:
        if session := read_session(table, name):
            return session
        found = machine.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            raise VerbError(f"not started: {found.get('cause') or found.get('error')}")
        time.sleep(POLL_SECONDS)
    raise VerbError(
        f"session {name} was asked for, but it has not begun within {OPEN_SECONDS} s. "
        "`./whosthere sessions` says what becomes of it"
    )
