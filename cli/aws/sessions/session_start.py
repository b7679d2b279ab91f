"""Start a session and wait until it is open; say beforehand what it costs at most."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cli.aws.target import Target
from cli.aws.time_formats import format_time
from cli.errors import InputError, VerbError
from cli.tables import format_table
from whosthere import settings, settings_file
from whosthere.clock import now_ms
from whosthere.costs.calculator import NOT_SURE, Cost, dollars_text, line_rows, sum_text
from whosthere.costs.limits import is_month_spent
from whosthere.costs.month import month_end_ms
from whosthere.costs.plan import SessionPlan, most_of_session
from whosthere.costs.prices import price_table
from whosthere.session.open import MOST_CHECKS, deadline_of
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


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A session that is asked for: until when it would run, and what it costs at most."""

    camera: str
    until: str
    cost: Cost
    price: str

    def __str__(self) -> str:
        """Return it in a line."""
        return f"{self.camera} until {self.until}, {self.price}"

    @property
    def cost_lines(self) -> str:
        """The cost line by line."""
        return cost_text(self.cost)


def plan_session(target: Target, camera: str, request: Mapping[str, Any]) -> PlannedSession:
    """Return the plan of the session that is asked for."""
    return next(plan_sessions(target, [camera], request))


def plan_sessions(
    target: Target, cameras: Iterable[str], request: Mapping[str, Any]
) -> Iterator[PlannedSession]:
    """Yield the plans of sessions at cameras; `request` is their input but for the camera."""
    file = settings_file.read(target.session.client("s3"), target.output("BucketName"))
    now = now_ms()
    for camera in cameras:
        values = settings.merge(file, camera, request.get("settings", {}))
        deadline_ms = deadline_of(request, now, values["timeZone"])
        until = format_time(deadline_ms, values["timeZone"], now)
        # Milliseconds that pass between plan and start must not count as another minute.
        cost = planned_cost(target, round((deadline_ms - now) / 60_000, 1), values)
        price = price_text(target, cost, float(values.get("maxDollars", 0)))
        if is_month_spent(
            target.table(),
            target.engine,
            float(values["maxDollarsMonth"]),
            price_table(target.region),
            now,
        ):
            price += _spent_month_text(camera, deadline_ms, now, values["timeZone"])
        yield PlannedSession(camera, until, cost, price)


def _spent_month_text(camera: str, deadline_ms: int, now: int, time_zone: str) -> str:
    """Return from when a session in a spent month searches; InputError if it never does."""
    next_ms = month_end_ms(now)
    if deadline_ms <= next_ms:
        raise InputError(
            f"{camera}: the sessions of this month have spent maxDollarsMonth. "
            "A larger one: ./whosthere settings maxDollarsMonth DOLLARS"
        )
    until = format_time(next_ms, time_zone, now)
    return f"; maxDollarsMonth is spent, so nothing is searched until {until}"


def planned_cost(target: Target, minutes: float, values: Mapping[str, Any]) -> Cost:
    """Return what a session of that length costs at most with these settings."""
    plan = SessionPlan(
        target.engine,
        minutes,
        sampling_s=float(values["samplingSeconds"]),
        checks_s=max(float(values["healthCheckSeconds"]), 60 * minutes / MOST_CHECKS),
        kept_hours=float(target.parameters.get("VideoRetentionHours", 24)),
        architecture=target.parameters.get("Architecture", "x86_64"),
    )
    return most_of_session(plan, price_table(target.region))


def price_text(target: Target, cost: Cost, limit: float = 0) -> str:
    """Return the most that sessions cost, in a few words; `limit` is their `maxDollars`, if any."""
    text = f"at most {sum_text(cost)}"
    if target.engine == "image-search":
        text += ", if a face is in each image"
    if 0 < limit < cost.dollars:
        # Not all of its lines count for the limit, and stopping takes a while.
        text += f"; maxDollars pauses it at about {dollars_text(limit)}"
    return f"{text} on AWS, nothing here" if target.is_laptop else text


def cost_text(cost: Cost) -> str:
    """Return a bill: its lines, and what a question mark means if there is one."""
    text = format_table([("  " + what, *rest) for what, *rest in line_rows(cost)])
    return text if all(line.is_sure for line in cost.lines) else f"{text}\n  {NOT_SURE}"


def start_session(target: Target, request: dict[str, Any]) -> Session:
    """Start the execution and wait for its session; VerbError if it is refused."""
    (name,) = session_names(1)
    execution = target.session.client("stepfunctions").start_execution(
        stateMachineArn=target.output("StateMachineArn"), name=name, input=json.dumps(request)
    )["executionArn"]
    try:
        return _wait_until_open(target, execution, name)
    except KeyboardInterrupt:
        print(f"\nsession {name} keeps running; `./whosthere stop` ends it", file=sys.stderr)
        raise


def session_names(count: int) -> list[str]:
    """Return that many ids of new sessions; each begins with its time, no two are the same."""
    now, first = datetime.now(UTC), uuid4().int
    return [f"{now:%Y%m%d-%H%M%S}-{(first + number) % 0x10000:04x}" for number in range(count)]


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
