"""Stopping a session from outside its execution: what every net under the state machine does."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.clock import now_ms
from whosthere.names import processor_name, stream_name
from whosthere.session.close import NOT_STOPPED, Ending, close
from whosthere.session.deadline import disarm
from whosthere.session.engine import patiently, stop_images, stop_processor
from whosthere.session_store import Session, give_up, mark_told, read_session, was_refused

STREAM_PROCESSOR = "stream-processor"
# An execution that is stopped does not take back the call that it has just made: look again.
SETTLE_S = 3.0
ABRUPT = ("aborted", "timed out", "overdue", "swept", "removed")
OVERDUE, SWEPT, REMOVED = (Ending(by, "", "") for by in ("overdue", "swept", "removed"))
# How a call can fail: AWS refuses it, or no answer comes.
FAILED_CALL = (BotoCoreError, ClientError)
# What says that an execution runs no more.
ENDED = ("ExecutionDoesNotExist", "StateMachineDoesNotExist", "ValidationException")


@dataclass(frozen=True, slots=True)
class Tools:
    """The clients and names that stopping takes; `pause` takes seconds."""

    table: Any
    rekognition: Any
    kinesisvideo: Any
    stepfunctions: Any
    scheduler: Any
    s3: Any
    sns: Any
    stack: str
    bucket: str
    topic_arn: str
    deadlines: str
    now_ms: Callable[[], int]
    pause: Callable[[float], None]


def tools_of(variables: Mapping[str, str], table: Any, client: Callable[..., Any]) -> Tools:
    """The tools of a function with these environment variables; `client` makes one by its name."""
    return Tools(
        table=table,
        rekognition=client("rekognition"),
        kinesisvideo=client("kinesisvideo"),
        stepfunctions=client("stepfunctions"),
        scheduler=client("scheduler"),
        s3=client("s3"),
        sns=client("sns"),
        stack=variables["STACK"],
        bucket=variables["BUCKET"],
        topic_arn=variables["TOPIC_ARN"],
        deadlines=variables["DEADLINES"],
        now_ms=now_ms,
        pause=time.sleep,
    )


def stop_ended(tools: Tools, session_id: str, ending: Ending, camera: str = "") -> dict[str, Any]:
    """Stop what an execution left behind that has ended; safe to repeat, events come twice.

    One that never opened is told: nobody may have been there when a schedule started it.
    """
    if give_up(tools.table, session_id, tools.now_ms()):  # its opening, from now on
        if not was_refused(tools.table, session_id):
            _tell_unopened(tools, session_id, ending, camera)
            mark_told(tools.table, session_id)
        return {}
    session = read_session(tools.table, session_id)
    assert session is not None  # else it would have been given up
    return stop(tools, session, ending)


def stop_overdue(tools: Tools, session_id: str) -> dict[str, Any]:
    """Stop a session whose schedule has fired: its execution should have ended it."""
    session = read_session(tools.table, session_id)
    if session is None:
        return {}
    return end(tools, session, OVERDUE)


def end(tools: Tools, session: Session, ending: Ending) -> dict[str, Any]:
    """Abort the session's execution, then stop what it started."""
    patiently(lambda: abort(tools.stepfunctions, session.execution), tools.pause)
    return stop(tools, session, ending)


def stop(tools: Tools, session: Session, ending: Ending) -> dict[str, Any]:
    """Stop the session's engine and close it; raises what kept the engine from stopping."""
    try:
        found = stop_engine(tools, session)
        if ending.by in ABRUPT:
            tools.pause(SETTLE_S)
            found = stop_engine(tools, session) or found
    except FAILED_CALL as error:
        _close(tools, session, Ending(NOT_STOPPED, _name_of(error), str(error)))
        raise
    summary = _close(tools, session, ending)
    if session.told and (found or (session.held and session.ended_by == NOT_STOPPED)):
        _tell_left(tools, session)
    disarm(tools.scheduler, session.id, group=tools.deadlines)
    return summary


def stop_engine(tools: Tools, session: Session) -> bool:
    """Stop what makes the session's records; whether there was anything to stop."""
    if session.engine == STREAM_PROCESSOR:
        # Its name holds the session's id: whatever runs now, only this session's can be hit.
        name = processor_name(tools.stack, session.camera, session.id)
        return stop_processor(tools.rekognition, name, pause=tools.pause)
    # Image generation is the camera's, so it goes off only while the lock is this session's.
    now = read_session(tools.table, session.id)
    if now is None or not now.held:
        return False
    stream = stream_name(tools.stack, session.camera)
    return stop_images(tools.kinesisvideo, stream, pause=tools.pause)


def abort(stepfunctions: Any, execution: str) -> None:
    """Stop the execution if it runs."""
    try:
        stepfunctions.stop_execution(executionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ENDED:
            raise


def runs(stepfunctions: Any, execution: str) -> bool:
    """Whether the execution runs."""
    try:
        status = stepfunctions.describe_execution(executionArn=execution)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ENDED:
            raise
        return False
    return bool(status == "RUNNING")


def _close(tools: Tools, session: Session, ending: Ending) -> dict[str, Any]:
    return close(
        tools.table,
        tools.s3,
        tools.sns,
        tools.stepfunctions,
        session_id=session.id,
        ending=ending,
        now_ms=tools.now_ms(),
        bucket=tools.bucket,
        topic_arn=tools.topic_arn,
        stack=tools.stack,
    )


def _name_of(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__


def _tell_unopened(tools: Tools, session_id: str, ending: Ending, camera: str) -> None:
    where = camera or "a camera"
    why = f"{ending.error}: {ending.cause}" if ending.error else f"Its execution was {ending.by}."
    alert = Alert(
        kind=alerts.PROBLEM,
        camera=camera,
        session=session_id,
        subject=f"No session at {where}",
        text=f"The session at {where} could not start. {why}",
        facts={"error": ending.error, "cause": ending.cause},
    )
    alerts.publish(tools.sns, tools.topic_arn, alert)


def _tell_left(tools: Tools, session: Session) -> None:
    """The owner was told of the session's end, but something of it still ran."""
    if "problem" not in session.settings.tell:
        return
    alert = Alert(
        kind=alerts.PROBLEM,
        camera=session.camera,
        session=session.id,
        subject=f"Stopped after all at {session.camera}",
        text=f"What an ended session at {session.camera} had started is stopped now.",
        facts={"endedBy": session.ended_by},
    )
    alerts.publish(tools.sns, tools.topic_arn, alert)
