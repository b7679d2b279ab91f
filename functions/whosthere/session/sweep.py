"""The sweep: compares what runs with what should. The last safeguard."""

from collections.abc import Callable, Iterable

from botocore.exceptions import ClientError

from whosthere.clock import DAY_S, now_ms
from whosthere.names import camera_of_arn, images_uri, stack_prefix, stream_name
from whosthere.session.close import Ending
from whosthere.session.deadline import GRACE_S
from whosthere.session.engine import (
    STREAM_PROCESSOR,
    describe_processor,
    images_of,
    is_closed,
    retry_with_backoff,
    stop_images,
    stop_processor,
)
from whosthere.session.lock import reacquire
from whosthere.session.stop import OVERDUE, SWEPT, StopContext, end, runs, stop
from whosthere.session_store import Session, latest_session, read_session

# A schedule may fire a minute late, and its function may take one: then it is the sweep's turn.
LATE_MS = (GRACE_S + 120) * 1000


def sweep(
    context: StopContext, cameras: Iterable[str], *, engine: str, role_name: str
) -> dict[str, int]:
    """Stop whatever runs without a running session; how many of each kind were stopped.

    Counts as a lock also what ended without a report or a message, and closes it. Asks what
    should run only after it has seen what does, so a session that starts meanwhile is never hit.
    One failure doesn't keep the others from being stopped.
    """
    watched = list(cameras)
    errors: list[Exception] = []
    found = {
        "locks": _each(errors, lambda: watched, lambda camera: _free(context, camera)),
        "processors": _each(
            errors,
            lambda: _ours(context, engine),
            lambda name: _stop_orphan(context, name, role_name),
        ),
        "images": _each(errors, lambda: watched, lambda camera: _stop_images(context, camera)),
    }
    if errors:
        raise errors[0]
    return found


def _each(
    errors: list[Exception],
    names: Callable[[], list[str]],
    stop_one: Callable[[str], bool],
) -> int:
    """How many of the names there was something to stop of; what failed is added to the errors."""
    count = 0
    try:
        listed = names()
    except Exception as error:
        errors.append(error)
        return 0
    for name in listed:
        try:
            count += stop_one(name)
        except Exception as error:
            errors.append(error)
    return count


def _free(context: StopContext, camera: str) -> bool:
    session = latest_session(context.table, camera, to_stop=True)
    if session is None:
        return False
    if session.held:
        return _end_unless_alive(context, session)
    return _close_again(context, session)


def _close_again(context: StopContext, session: Session) -> bool:
    """Report and tell the end of a session, if what ended it could not; return whether it did."""
    if session.is_closed or session.ended_ms is None or session.ended_by is None:
        return False
    # What ended it may still be at work, or its visits may be gone.
    if not LATE_MS < now_ms() - session.ended_ms < DAY_S * 1000:
        return False
    stop(context, session, Ending(session.ended_by))
    return True


def _end_unless_alive(context: StopContext, session: Session) -> bool:
    running = retry_with_backoff(
        lambda: runs(context.stepfunctions, session.execution), context.pause
    )
    if running and now_ms() < session.deadline_ms + LATE_MS:
        return False
    if running:
        end(context, session, OVERDUE)
    else:
        stop(context, session, SWEPT)
    return True


def _ours(context: StopContext, engine: str) -> list[str]:
    try:
        names = retry_with_backoff(lambda: _all(context), context.pause)
    except ClientError as error:
        denied = error.response["Error"]["Code"] == "AccessDeniedException"
        # Where the service is closed none can exist; with images a session makes none.
        if is_closed(error) or (denied and engine != STREAM_PROCESSOR):
            return []
        raise
    return [name for name in names if name.startswith(stack_prefix(context.stack))]


def _all(context: StopContext) -> list[str]:
    pages = context.rekognition.get_paginator("list_stream_processors").paginate()
    return [processor["Name"] for page in pages for processor in page["StreamProcessors"]]


def _stop_orphan(context: StopContext, name: str, role_name: str) -> bool:
    found = retry_with_backoff(lambda: describe_processor(context.rekognition, name), context.pause)
    # Another stack's name may begin with this one's: its processors have another role.
    if found is None or found["RoleArn"].rpartition("/")[2] != role_name:
        return False
    session = _session_of(context, name, found["Input"]["KinesisVideoStream"]["Arn"])
    if session is not None and session.held:
        return _end_unless_alive(context, session)
    if session is not None:
        stop(context, session, SWEPT)
        return True
    return stop_processor(context.rekognition, name, pause=context.pause)


def _session_of(context: StopContext, name: str, stream_arn: str) -> Session | None:
    """Return the session that has made the processor of that name; None if none has."""
    try:
        camera = camera_of_arn(context.stack, stream_arn)
    except ValueError:  # somebody gave it this stack's role, and another's stream
        return None
    session_id = name.removeprefix(f"{stream_name(context.stack, camera)}-")
    return read_session(context.table, session_id, to_stop=True)


def _stop_images(context: StopContext, camera: str) -> bool:
    stream = stream_name(context.stack, camera)
    configuration = retry_with_backoff(
        lambda: images_of(context.kinesisvideo, stream), context.pause
    )
    ours = images_uri(context.closing.names.bucket, context.stack, camera)
    if configuration is None or configuration["DestinationConfig"]["Uri"] != ours:
        return False
    session = latest_session(context.table, camera, to_stop=True)
    if session is None:
        return False
    if session.held and session.engine != STREAM_PROCESSOR:
        return _end_unless_alive(context, session)
    # The lock, so that no session can begin between this look and the switch.
    if not session.held and not reacquire(context.table, session):
        return False
    if session.engine == STREAM_PROCESSOR:  # then one before left them on
        stop_images(context.kinesisvideo, stream, pause=context.pause)
    if not session.held:
        stop(context, session, SWEPT)
    return True
