"""Rekognition's stream processors: open to this account or closed, and a whole session."""

import time
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from cli.aws.cameras.camera_status import read_camera_status
from cli.aws.sessions.session_start import start_session
from cli.aws.sessions.session_stop import END_TIMEOUT_SECONDS, wait_until_ended
from cli.aws.target import Target
from cli.commands.sessions import read_report
from cli.commands.test import SESSION_MINUTES
from whosthere.clock import now_ms
from whosthere.names import processor_name, stream_name
from whosthere.session.engine import describe_processor, images_of, is_closed
from whosthere.session.requests import request_stop
from whosthere.session_store import Session, latest_session

WATCH_SECONDS = 60
CALLS = (
    "list_stream_processors",
    "describe_stream_processor",
    "start_stream_processor",
    "stop_stream_processor",
    "delete_stream_processor",
)


def test_stream_processors_are_open_or_denied_without_a_message(
    target: Target, answer: Callable[[str], None]
) -> None:
    """Are stream processors open, or is each of their calls denied without a message?"""
    name = {"Name": f"{target.stack}-no-such-processor"}
    errors = {call: _error_of(target, call, {} if "list" in call else name) for call in CALLS}
    codes = {call: _text_of(error) for call, error in errors.items()}
    closed = [call for call, error in errors.items() if error and is_closed(error)]
    state = "closed" if closed else "open"
    answer(f"{state}: " + ", ".join(f"{call} {code}" for call, code in codes.items()))
    assert len(closed) in (0, len(CALLS))
    assert closed or set(codes.values()) <= {"answers", "ResourceNotFoundException"}


def _error_of(target: Target, call: str, parameters: dict[str, str]) -> ClientError | None:
    try:
        getattr(target.session.client("rekognition"), call)(**parameters)
    except ClientError as error:
        return error
    return None


def _text_of(error: ClientError | None) -> str:
    if error is None:
        return "answers"
    code = error.response["Error"]["Code"]
    return f"{code} without a message" if is_closed(error) else code


@pytest.fixture
def session(target: Target, camera: str) -> Iterator[Session]:
    """A session of this test's own, which is stopped whatever happens."""
    running = latest_session(target.table(), camera)
    if running and running.held:
        pytest.skip(f"{camera} is busy; `./whosthere stop {camera}` ends its session")
    settings = {"healthCheckSeconds": 5, "strangers": "off", "tell": []}
    request = {"camera": camera, "minutes": SESSION_MINUTES, "settings": settings}
    started = start_session(target, request)
    yield started
    stop(target, started)


def stop(target: Target, session: Session) -> Session:
    """Stop this session, no later one of its camera, and return how it ended."""
    latest = latest_session(target.table(), session.camera)
    if latest and latest.held and latest.id == session.id:
        request_stop(target.table(), target.session.client("stepfunctions"), session.camera)
    ended = wait_until_ended(target, session.id, time.monotonic() + END_TIMEOUT_SECONDS)
    assert ended, f"{session.id} has not ended within {END_TIMEOUT_SECONDS} s"
    return ended


def test_a_session_runs_and_stops(
    target: Target, session: Session, answer: Callable[[str], None]
) -> None:
    """Does a session run, stop when asked, and leave no engine behind?"""
    until = time.monotonic() + WATCH_SECONDS
    while (seen := _state(target, session)) not in ("searching", "free"):
        if time.monotonic() > until:
            break
        time.sleep(1)
    ended = stop(target, session)
    report = read_report(target, session.id)
    seconds, calls = round(60 * report["minutes"]["real"]), sum(report["calls"].values())
    answer(
        f"{seen}, then ended by {ended.ended_by} after {seconds} s and {calls} calls; "
        f"{ended.error or 'no error'}"
    )
    assert ended.ended_by in ("stop", "denied")
    name = processor_name(target.stack, session.camera, session.id)
    assert describe_processor(target.session.client("rekognition"), name) is None
    stream = stream_name(target.stack, session.camera)
    assert images_of(target.session.client("kinesisvideo"), stream) is None


def _state(target: Target, session: Session) -> str:
    return read_camera_status(target.table(), session.camera, now_ms()).state
