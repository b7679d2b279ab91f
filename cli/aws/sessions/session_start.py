"""Start a session and wait until it is open; say beforehand what it costs at most."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cli.aws.sessions.price import price_text
from cli.aws.target import Target
from cli.aws.time_formats import format_time
from cli.errors import InputError, VerbError
from whosthere import settings, settings_file
from whosthere.clock import now_ms
from whosthere.session.open import deadline_of
from whosthere.session_store import Session, latest_session, read_session

# From StartExecution until the session holds its camera: a cold function takes some seconds.
OPEN_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.3


def refuse_busy(target: Target, camera: str) -> None:
    """Raise InputError if a session holds the camera."""
    running = latest_session(target.table(), camera)
    if running and running.held:
        until = format_time(running.deadline_ms, running.settings.time_zone, now_ms())
        raise InputError(
            f"{camera} is busy: session {running.id} runs until {until}. "
            f"`./whosthere stop {camera}` ends it"
        )


def plan_text(target: Target, camera: str, request: dict[str, Any]) -> str:
    """Return until when the session that is asked for would run, and what it costs at most."""
    file = settings_file.read(target.session.client("s3"), target.output("BucketName"))
    values = settings.merge(file, camera, request.get("settings", {}))
    now = now_ms()
    deadline_ms = deadline_of(request, now, values["timeZone"])
    until = format_time(deadline_ms, values["timeZone"], now)
    return f"{camera} until {until}, {session_price(target, deadline_ms - now)}"


def session_price(target: Target, length_ms: int) -> str:
    """Return what a session of that length costs."""
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
