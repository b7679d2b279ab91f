"""What runs, held against what should: the last net."""

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.names import camera_of_arn, stack_prefix, stream_name
from whosthere.session.deadline import GRACE_S
from whosthere.session.engine import images_of, patiently, stop_images, stop_processor
from whosthere.session.lock import relock
from whosthere.session.stop import (
    FAILED_CALL,
    OVERDUE,
    STREAM_PROCESSOR,
    SWEPT,
    Tools,
    end,
    runs,
    stop,
)
from whosthere.session_store import Session, latest_session, read_session

# A schedule may fire a minute late, and its function may take one: then it is the sweep's turn.
LATE_MS = (GRACE_S + 120) * 1000


def sweep(tools: Tools, cameras: Iterable[str], *, engine: str, role_name: str) -> dict[str, int]:
    """Stop whatever runs without a running session; how many of each kind were stopped.

    Asks what should run only after it has seen what does, so a session that starts
    meanwhile is never hit. One failure doesn't keep the others from being stopped.
    """
    watched = list(cameras)
    errors: list[BotoCoreError | ClientError] = []
    found = {
        "locks": _each(errors, lambda: watched, lambda camera: _free(tools, camera)),
        "processors": _each(
            errors, lambda: _ours(tools, engine), lambda name: _stop_orphan(tools, name, role_name)
        ),
        "images": _each(errors, lambda: watched, lambda camera: _stop_images(tools, camera)),
    }
    if errors:
        raise errors[0]
    return found


def _each(
    errors: list[BotoCoreError | ClientError],
    names: Callable[[], list[str]],
    stop_one: Callable[[str], bool],
) -> int:
    """How many of the names there was something to stop of; what failed is added to the errors."""
    count = 0
    try:
        listed = names()
    except FAILED_CALL as error:
        errors.append(error)
        return 0
    for name in listed:
        try:
            count += stop_one(name)
        except FAILED_CALL as error:
            errors.append(error)
    return count


def _free(tools: Tools, camera: str) -> bool:
    session = latest_session(tools.table, camera)
    if session is None or not session.held:
        return False
    return _end_unless_alive(tools, session)


def _end_unless_alive(tools: Tools, session: Session) -> bool:
    running = patiently(lambda: runs(tools.stepfunctions, session.execution), tools.pause)
    if running and tools.now_ms() < session.deadline_ms + LATE_MS:
        return False
    if running:
        end(tools, session, OVERDUE)
    else:
        stop(tools, session, SWEPT)
    return True


def _ours(tools: Tools, engine: str) -> list[str]:
    try:
        names = patiently(lambda: _all(tools), tools.pause)
    except ClientError as error:
        # Accounts that stream processors are closed to have none.
        denied = error.response["Error"]["Code"] == "AccessDeniedException"
        if denied and engine != STREAM_PROCESSOR:
            return []
        raise
    return [name for name in names if name.startswith(stack_prefix(tools.stack))]


def _all(tools: Tools) -> list[str]:
    pages = tools.rekognition.get_paginator("list_stream_processors").paginate()
    return [processor["Name"] for page in pages for processor in page["StreamProcessors"]]


def _stop_orphan(tools: Tools, name: str, role_name: str) -> bool:
    found = patiently(lambda: _described(tools, name), tools.pause)
    # Another stack's name may begin with this one's: its processors have another role.
    if found is None or found["RoleArn"].rpartition("/")[2] != role_name:
        return False
    camera = camera_of_arn(tools.stack, found["Input"]["KinesisVideoStream"]["Arn"])
    session_id = name.removeprefix(f"{stream_name(tools.stack, camera)}-")
    session = read_session(tools.table, session_id)
    if session is not None and session.held:
        return _end_unless_alive(tools, session)
    if session is not None:
        stop(tools, session, SWEPT)
        return True
    return stop_processor(tools.rekognition, name, pause=tools.pause)


def _described(tools: Tools, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = tools.rekognition.describe_stream_processor(Name=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return found


def _stop_images(tools: Tools, camera: str) -> bool:
    stream = stream_name(tools.stack, camera)
    configuration = patiently(lambda: images_of(tools.kinesisvideo, stream), tools.pause)
    ours = f"s3://{tools.bucket}/frames/{camera}/"
    if configuration is None or configuration["DestinationConfig"]["Uri"] != ours:
        return False
    session = latest_session(tools.table, camera)
    if session is None:
        return False
    if session.held and session.engine != STREAM_PROCESSOR:
        return _end_unless_alive(tools, session)
    # The lock, so that no session can begin between this look and the switch.
    if not session.held and not relock(tools.table, session):
        return False
    if session.engine == STREAM_PROCESSOR:  # then one before left them on
        stop_images(tools.kinesisvideo, stream, pause=tools.pause)
    if not session.held:
        stop(tools, session, SWEPT)
    return True
