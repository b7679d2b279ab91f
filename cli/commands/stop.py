"""`./whosthere stop`: end a camera's session and print how it ended."""

import argparse
import time

from cli.aws.connect import add_options, connect, print_result
from cli.aws.sessions.all_cameras import (
    ENDED,
    FREE,
    REFUSED,
    STOPPING,
    no_camera_beside_all,
    print_results,
    stop_all,
)
from cli.aws.sessions.session_stop import END_TIMEOUT_SECONDS, wait_until_ended
from cli.aws.target import Target, resolve_camera
from cli.errors import VerbError
from cli.interrupts import Interrupts
from cli.progress import Progress
from whosthere.alerts.texts import ENDINGS
from whosthere.session.requests import request_stop
from whosthere.session_store import Session

HELP = "end a camera's session now"
EXAMPLE = "./whosthere stop front-door"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser)
    parser.add_argument("--all", action="store_true", help="at every camera of the stack at once")
    parser.add_argument(
        "--no-wait", action="store_true", help="request the stop, but do not wait for the end"
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Stop the session and return the exit code; nothing to stop is no error."""
    with connect(arguments) as target:
        if arguments.all:
            no_camera_beside_all(arguments)
            progress = Progress(to_stderr=arguments.json)
            found = stop_all(target, progress, wait=not arguments.no_wait)
            return print_results(arguments, found, (ENDED, STOPPING, FREE, REFUSED))
        # A camera that was removed from the stack may still have a session.
        camera = resolve_camera(target, arguments.camera)
        session_id = request_stop(target.table(), target.session.client("stepfunctions"), camera)
        if session_id is None:
            content = {"camera": camera, "session": None, "endedBy": None}
            print_result(arguments, content, f"{camera}: no session runs")
            return 0
        session = None if arguments.no_wait else _ended_session(target, session_id)
    content = {"camera": camera, "session": session_id}
    content["endedBy"] = session.ended_by if session else None
    print_result(arguments, content, f"{camera}: session {session_id} {_end_text(session)}")
    return 0


def _end_text(session: Session | None) -> str:
    if session is None:
        return "was asked to stop"
    return f"has ended, because {ENDINGS.get(str(session.ended_by), str(session.ended_by))}"


def _ended_session(target: Target, session_id: str) -> Session:
    until = time.monotonic() + END_TIMEOUT_SECONDS
    if session := wait_until_ended(target, session_id, until):
        return session
    raise VerbError(
        f"session {session_id} has not stopped within {END_TIMEOUT_SECONDS} s of the request. "
        "A safeguard will stop it, and you get a message"
    )
