"""Stopping a session: what its own last step does, and every safeguard under it."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from whosthere.alerts import texts
from whosthere.alerts.message import Alert, publish
from whosthere.clock import now_ms
from whosthere.costs.prices import price_table
from whosthere.dynamodb import Table
from whosthere.errors import name_of_error
from whosthere.metrics import ApiCallCounter, add_counts
from whosthere.names import StackNames, processor_name, stream_name
from whosthere.session.close import NOT_STOPPED, ClosingContext, Ending, Outcome, close, outcome
from whosthere.session.deadline import delete_deadline_schedule
from whosthere.session.engine import (
    STREAM_PROCESSOR,
    retry_with_backoff,
    stop_images,
    stop_processor,
)
from whosthere.session.open import SHORT_TIMEOUTS
from whosthere.session_store import Session, cancel, mark_told, read_session, was_refused

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_stepfunctions import SFNClient

# An execution that is stopped does not take back the call that it has just made: look again.
SETTLE_S = 3.0
# A service that hangs, as S3 while the report is written, must leave the time to free the camera.
TIMEOUTS = SHORT_TIMEOUTS.merge(Config(retries={"total_max_attempts": 5}))
# What the engine wrote last has to reach the functions before the report is made.
DRAIN_S = 2.0
ABRUPT = ("aborted", "timed out", "overdue", "swept", "removed")
OVERDUE, SWEPT, REMOVED = (Ending(by) for by in ("overdue", "swept", "removed"))
# What says that an execution runs no more.
ENDED = ("ExecutionDoesNotExist", "StateMachineDoesNotExist", "ValidationException")


@dataclass(frozen=True, slots=True)
class Schedules:
    """The scheduler, and the group that the stack's schedules are in."""

    scheduler: "EventBridgeSchedulerClient"
    group: str


@dataclass(frozen=True, slots=True)
class EngineClients:
    """Clients of what makes records; `calls` counts theirs for the report."""

    rekognition: "RekognitionClient"
    kinesisvideo: "KinesisVideoClient"
    calls: ApiCallCounter


@dataclass(frozen=True, slots=True)
class StopContext:
    """What stopping works with; `pause` takes seconds."""

    closing: ClosingContext
    engines: EngineClients
    schedules: Schedules
    pause: Callable[[float], None] = time.sleep

    @property
    def table(self) -> Table:
        """The stack's table."""
        return self.closing.table

    @property
    def rekognition(self) -> "RekognitionClient":
        """The client of Rekognition."""
        return self.engines.rekognition

    @property
    def kinesisvideo(self) -> "KinesisVideoClient":
        """The client of Kinesis Video Streams."""
        return self.engines.kinesisvideo

    @property
    def stepfunctions(self) -> "SFNClient":
        """The client of Step Functions."""
        return self.closing.stepfunctions

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.closing.names.stack


def stop_context(variables: Mapping[str, str], table: Table, logger: "Logger") -> StopContext:
    """Return the context of a function with these environment variables."""
    names = StackNames(variables["STACK"], variables["BUCKET"], variables["TOPIC_ARN"])
    client = partial(boto3.client, config=TIMEOUTS)
    engines = EngineClients(client("rekognition"), client("kinesisvideo"), ApiCallCounter())
    engines.calls.watch(engines.rekognition, engines.kinesisvideo)
    return StopContext(
        closing=ClosingContext(
            table,
            client("s3"),
            client("sns"),
            client("stepfunctions"),
            names,
            logger,
            price_table(table.meta.client.meta.region_name),
        ),
        engines=engines,
        schedules=Schedules(client("scheduler"), variables["DEADLINES"]),
    )


def stop_ended(
    context: StopContext,
    session_id: str,
    ending: Ending,
    camera: str = "",
    *,
    is_last_try: bool = True,
) -> Outcome:
    """Stop what an execution left that ends or has ended; safe to repeat.

    Tells the owner of one that never opened: a schedule may have started it.
    """
    if cancel(context.table, session_id, now_ms()):
        if not was_refused(context.table, session_id):
            _publish(context, texts.unopened(session_id, camera, ending))
            mark_told(context.table, session_id)
        return outcome(session_id, ending)
    session = read_session(context.table, session_id, to_stop=True)
    assert session is not None  # else it would have been cancelled
    return stop(context, session, ending, is_last_try=is_last_try)


def stop_overdue(context: StopContext, session_id: str) -> Mapping[str, object]:
    """Stop a session whose schedule has fired: its execution should have ended it."""
    session = read_session(context.table, session_id, to_stop=True)
    if session is None:
        return {}
    return end(context, session, OVERDUE)


def end(context: StopContext, session: Session, ending: Ending) -> Outcome:
    """Abort the session's execution, then stop what it started."""
    retry_with_backoff(lambda: abort(context.stepfunctions, session.execution), context.pause)
    return stop(context, session, ending)


def stop(
    context: StopContext, session: Session, ending: Ending, *, is_last_try: bool = True
) -> Outcome:
    """Stop the session's engine and close it; raises what prevented that.

    Only the last try tells the owner so: what is tried again soon may work. Until then, what
    prevented the report is raised too.
    """
    try:
        found = stop_engine(context, session)
        if ending.by in ABRUPT:
            context.pause(SETTLE_S)
            found = stop_engine(context, session) or found
    except Exception as error:  # whatever it is, the owner has to know
        if is_last_try:
            close(
                context.closing,
                session,
                Ending(NOT_STOPPED, name_of_error(error), str(error)),
                now_ms(),
            )
        raise
    if found and ending.by not in ABRUPT:
        context.pause(DRAIN_S)
    summary = close(context.closing, session, ending, now_ms(), is_last_try=is_last_try)
    left = found or (session.held and session.ended_by == NOT_STOPPED)
    if session.told and left and "problem" in session.settings.tell:
        _publish(context, texts.stopped_after_all(session))
    _delete_schedule(context, session.id)
    return summary


def _delete_schedule(context: StopContext, session_id: str) -> None:
    """Delete the session's schedule; one that stays finds a closed session, and goes by itself."""
    schedules = context.schedules
    with suppress(BotoCoreError, ClientError):
        delete_deadline_schedule(schedules.scheduler, session_id, group=schedules.group)


def stop_engine_of(context: StopContext, session_id: str) -> bool:
    """Stop the engine of a session that goes on; return whether there was anything to stop."""
    session = read_session(context.table, session_id, to_stop=True)
    return session is not None and session.held and stop_engine(context, session)


def stop_engine(context: StopContext, session: Session) -> bool:
    """Stop what makes the session's records; return whether there was anything to stop."""
    context.engines.calls.take()  # of another session before
    try:
        return _stop_engine(context, session)
    finally:
        with suppress(BotoCoreError, ClientError):  # a count is no reason to fail
            add_counts(context.table, session.id, context.engines.calls.take())


def _stop_engine(context: StopContext, session: Session) -> bool:
    if session.engine == STREAM_PROCESSOR:
        # Its name holds the session's id: whatever runs now, only this session's can be hit.
        name = processor_name(context.stack, session.camera, session.id)
        return stop_processor(context.rekognition, name, pause=context.pause)
    # Image generation is the camera's, so it goes off only while the lock is this session's.
    now = read_session(context.table, session.id, to_stop=True)
    if now is None or not now.held:
        return False
    stream = stream_name(context.stack, session.camera)
    return stop_images(context.kinesisvideo, stream, pause=context.pause)


def abort(stepfunctions: "SFNClient", execution: str) -> None:
    """Stop the execution if it runs."""
    try:
        stepfunctions.stop_execution(executionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ENDED:
            raise


def runs(stepfunctions: "SFNClient", execution: str) -> bool:
    """Return whether the execution runs."""
    try:
        status = stepfunctions.describe_execution(executionArn=execution)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in ENDED:
            raise
        return False
    return status == "RUNNING"


def _publish(context: StopContext, alert: Alert) -> None:
    publish(context.closing.sns, context.closing.names.topic_arn, alert)
