"""Start or stop the sessions of all cameras by one execution of the cameras' state machine."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cli.aws.connect import print_result
from cli.aws.sessions.session_start import (
    OPEN_TIMEOUT_SECONDS,
    POLL_SECONDS,
    plan_sessions,
    price_text,
    session_names,
)
from cli.aws.sessions.session_stop import END_TIMEOUT_SECONDS, wait_until_ended
from cli.aws.target import Target
from cli.errors import InputError, VerbError
from cli.progress import Progress
from cli.tables import format_table
from whosthere.costs.calculator import added, cost_of
from whosthere.costs.prices import price_table
from whosthere.session_store import lock_key, read_session

STARTED, BUSY, REFUSED, STOPPING, FREE = "started", "busy", "refused", "stopping", "free"
ENDED = "ended"  # the word of a session that was stopped, once its camera is free
RUN_TIMEOUT_SECONDS = 150  # the machine's own TimeoutSeconds, and some
MOST_CAUSE = 200  # characters


@dataclass(frozen=True, slots=True)
class CameraResult:
    """What became of one camera: `result` is one of the words above."""

    camera: str
    result: str
    session: str = ""
    cause: str = ""


def plan_all_text(target: Target, request: Mapping[str, Any]) -> str:
    """Return until when sessions at all cameras would run, and what they cost together at most."""
    plans = list(plan_sessions(target, target.cameras, request))
    usages = ({line.id: line.quantity for line in plan.cost.lines} for plan in plans)
    cost = cost_of(added(usages), price_table(target.region))
    ends = " or ".join(dict.fromkeys(plan.until for plan in plans))
    cameras = f"{len(plans)} cameras ({', '.join(target.cameras)})"
    return f"{cameras} until {ends}, {price_text(target, cost)}"


def start_all(target: Target, request: Mapping[str, Any], progress: Progress) -> list[CameraResult]:
    """Start a session at every camera of the stack; wait until each is open or has been refused.

    `request` is the input of a session without its camera. Raises VerbError if the machine fails.
    """
    try:
        found = _run(target, "start", request, progress)
        return list(_opened(target, found, progress))
    except KeyboardInterrupt:
        print("\nwhat was started keeps running; `./whosthere stop --all` ends it", file=sys.stderr)
        raise


def stop_all(target: Target, progress: Progress, *, wait: bool) -> list[CameraResult]:
    """Ask the session of every camera of the stack to stop, and wait until each has ended.

    Raises VerbError if the machine fails.
    """
    found = _run(target, "stop", {}, progress)
    return list(_ended(target, found, progress)) if wait else found


def no_camera_beside_all(arguments: argparse.Namespace) -> None:
    """Raise InputError if one camera is named beside `--all`."""
    if arguments.camera is not None:
        raise InputError(f"either {arguments.camera} or --all")


def print_results(
    arguments: argparse.Namespace, found: Sequence[CameraResult], results: Sequence[str]
) -> int:
    """Print a line per camera and how many have each of these results; return the exit code.

    A busy camera is no failure: its session runs already.
    """
    said = [one.result for one in found]
    counts = {result: said.count(result) for result in results}
    content = {"cameras": [asdict(one) for one in found], "counts": counts}
    rows = [(one.camera, one.result, one.session, one.cause) for one in found]
    summary = ", ".join(f"{count} {result}" for result, count in counts.items())
    print_result(arguments, content, f"{format_table(rows)}\n{summary}")
    return int(any(one.cause and one.result != BUSY for one in found))


def _run(
    target: Target, action: str, request: Mapping[str, Any], progress: Progress
) -> list[CameraResult]:
    """Run the cameras' machine and return its list, in the order of the stack's cameras."""
    machine = target.session.client("stepfunctions")
    run = machine.start_execution(
        stateMachineArn=target.output("CamerasMachineArn"),
        input=json.dumps(machine_input(target.cameras, action, request)),
    )["executionArn"]
    with progress.live(f"{action}: {len(target.cameras)} cameras"):
        until = time.monotonic() + RUN_TIMEOUT_SECONDS
        while (found := machine.describe_execution(executionArn=run))["status"] == "RUNNING":
            if time.monotonic() > until:
                raise VerbError(f"{run} still runs after {RUN_TIMEOUT_SECONDS} s")
            time.sleep(POLL_SECONDS)
    if found["status"] != "SUCCEEDED":
        cause = found.get("cause") or found.get("error") or found["status"]
        raise VerbError(f"{run} failed: {cause}. `./whosthere status` shows which sessions run")
    # Of an item that failed as a whole there is nothing.
    answers = [CameraResult(**one) for one in json.loads(found["output"]) if one]
    answered = {one.camera: one for one in answers}
    silent = CameraResult("", REFUSED, cause="the machine gave no answer for it")
    return [answered.get(camera, replace(silent, camera=camera)) for camera in target.cameras]


def machine_input(
    cameras: Sequence[str], action: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the input of the cameras' machine; each session that is to start has a name."""
    items = [
        {
            "camera": camera,
            "session": session,
            "lockKey": {name: {"S": value} for name, value in lock_key(camera).items()},
        }
        for camera, session in zip(cameras, session_names(len(cameras)), strict=True)
    ]
    return {"action": action, "cameras": items, "request": dict(request)}


def _opened(
    target: Target, found: Sequence[CameraResult], progress: Progress
) -> Iterator[CameraResult]:
    """Yield the results once every session is open: only then does it hold its camera."""
    until = time.monotonic() + OPEN_TIMEOUT_SECONDS
    with progress.live("opening sessions"):
        for number, one in enumerate(found, 1):
            progress.status(f"opening sessions: {number} of {len(found)}")
            yield _wait_until_open(target, one, until) if one.result == STARTED else one


def _wait_until_open(target: Target, one: CameraResult, until: float) -> CameraResult:
    machine, table = target.session.client("stepfunctions"), target.table()
    arn = target.output("StateMachineArn").replace(":stateMachine:", ":execution:")
    while not read_session(table, one.session):
        ended = machine.describe_execution(executionArn=f"{arn}:{one.session}")
        if ended["status"] != "RUNNING":
            result = BUSY if ended.get("error") == "CameraBusyError" else REFUSED
            cause = ended.get("cause") or ended.get("error") or ended["status"]
            return replace(one, result=result, cause=cause[:MOST_CAUSE])
        if time.monotonic() > until:  # its execution runs: it may open, and cost money, later
            cause = f"not open yet after {OPEN_TIMEOUT_SECONDS} s; see `./whosthere status`"
            return replace(one, cause=cause)
        time.sleep(POLL_SECONDS)
    return one


def _ended(
    target: Target, found: Sequence[CameraResult], progress: Progress
) -> Iterator[CameraResult]:
    stopping = [one for one in found if one.result == STOPPING]
    # StopStreamProcessor is throttled to one a second per account.
    until = time.monotonic() + END_TIMEOUT_SECONDS + len(stopping)
    with progress.live("waiting for the ends"):
        for one in found:
            if one.result != STOPPING:
                yield one
                continue
            progress.status(f"waiting for the end at {one.camera}")
            if wait_until_ended(target, one.session, until):
                yield replace(one, result=ENDED)
            else:
                yield replace(one, cause="it has not ended in time. A safeguard will stop it")
