"""`./whosthere stop`: ends a camera's session and says how it ended."""

import argparse
import time

from cli.aws.connect import add_options, talking, tell
from cli.aws.target import Target, camera_name
from cli.errors import VerbError
from cli.interrupts import Interrupts
from whosthere.session.report import ENDINGS
from whosthere.session.requests import request_stop
from whosthere.session_store import Session, read_session

HELP = "end a camera's session now"
EXAMPLE = "./whosthere stop front-door"
# StopStreamProcessor is throttled to one a second per account, and a processor takes its time.
END_SECONDS = 180
POLL_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    add_options(parser)
    parser.add_argument(
        "--no-wait", action="store_true", help="ask for it, do not wait until it is done"
    )


def run(arguments: argparse.Namespace, _interrupts: Interrupts) -> int:
    """Stop the session and give the exit code; nothing to stop is no error."""
    with talking(arguments) as target:
        # A camera that the stack has no more may still have a session.
        camera = camera_name(target, arguments.camera)
        session_id = request_stop(target.table(), target.client("stepfunctions"), camera)
        if session_id is None:
            content = {"camera": camera, "session": None, "endedBy": None}
            tell(arguments, content, f"{camera}: no session runs")
            return 0
        session = None if arguments.no_wait else ended(target, session_id)
    content = {"camera": camera, "session": session_id}
    content["endedBy"] = session.ended_by if session else None
    tell(arguments, content, f"{camera}: session {session_id} {_how(session)}")
    return 0


def _how(session: Session | None) -> str:
    if session is None:
        return "was asked to stop"
    return f"has ended, because {ENDINGS.get(str(session.ended_by), str(session.ended_by))}"


def ended(target: Target, session_id: str) -> Session:
    """The session once it has freed its camera."""
    table = target.table()
    until = time.monotonic() + END_SECONDS
    while time.monotonic() < until:
        session = read_session(table, session_id)
        if session and not session.held:
            return session
        time.sleep(POLL_SECONDS)
    raise VerbError(
        f"session {session_id} was asked to stop and has not within {END_SECONDS} s; "
        "it is stopped by other means then, and you get a message"
    )
