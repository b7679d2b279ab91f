"""One check of a session: reads the facts, decides, tells the owner, notes it and answers."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere.alerts.message import Alert
from whosthere.clock import now_ms
from whosthere.costs.limits import Budget, add_to_month, read_budget, reserve, session_micros
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.costs.usage import HOUR_MS, Metered
from whosthere.dynamodb import Attributes, Row, RowChangedError, Table
from whosthere.errors import NewerRowError, VideoStreamGoneError, loggable, name_of_error
from whosthere.metrics import add_counts
from whosthere.names import StackNames, images_prefix, images_uri, processor_name, stream_name
from whosthere.session.decision import decide, decide_without, ends_at_once
from whosthere.session.engine import STREAM_PROCESSOR, EngineStatus, images_status, processor_status
from whosthere.session.facts import Facts
from whosthere.session.health import first_image, records
from whosthere.session.health.arrivals import Arrived, arrived, images
from whosthere.session.health.hysteresis import (
    CameraHealth,
    read_camera_health,
    write_camera_health,
)
from whosthere.session.health.media import LONGEST_SECONDS, Media, newest_media
from whosthere.session.health.records import HealthState
from whosthere.session.lock import is_whole, make_whole
from whosthere.session.notices import Notice
from whosthere.session.open import NextStep
from whosthere.session.progress import END, as_row, progress_of
from whosthere.session.requests import requests_of
from whosthere.session.steps import Decision, end_by_problem
from whosthere.session_store import Session, lock_key, session_key, session_of

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client

# What fails is tried again after pauses, unless its answer took so long that the function would
# be killed: nothing was decided then.
RETRY_PAUSES_S = (1.0, 2.0)
LONGEST_TRY_S = 10.0
# Two checks in a row that answer the same without a sleep are at least so far apart.
SHORTEST_LOOP_S = 1.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Clients of what a check reads; `archived_media` makes one by its endpoint."""

    kinesis: "KinesisClient"
    kinesisvideo: "KinesisVideoClient"
    rekognition: "RekognitionClient"
    s3: "S3Client"
    archived_media: "Callable[[str], KinesisVideoArchivedMediaClient]"


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check works with; `publish` raises what keeps a message from being sent."""

    table: Table
    sources: Sources
    names: StackNames
    publish: Callable[[Alert], None]
    logger: "Logger"
    prices: PriceTable = field(default_factory=home_prices)


class CheckAnswer(NextStep):
    """What the state machine does next; `requests` is the count that the answer has seen.

    `failedChecks` is how many have failed in a row, with this one.
    """

    requests: str
    failedChecks: int
    ending: dict[str, str]


def check_session(
    context: CheckContext, session_id: str, camera: str, *, failed_checks: int, retries: int
) -> CheckAnswer:
    """Return what the state machine does next, and which requests that answers.

    The lock is read first: `requests` covers all that is read after it, so that the machine's
    sleep is refused if one came since. What fails after that is answered too: only so does the
    machine know how many requests there are, and sleep.
    """
    try:
        lock = dynamodb.read(context.table, lock_key(camera)) or {}
        row = dynamodb.read(context.table, session_key(session_id)) or {}
    except NewerRowError as error:
        return _ended("NewerRowError", str(error))
    session = session_of(session_id, row, lock)
    if session is None:
        return _ended("LockLostError", "there is no such session")
    moment_ms = now_ms()
    facts = Facts(
        session,
        moment_ms,
        requests_of(lock, session_id),
        progress_of(row).metered(moment_ms),
        failed_checks=failed_checks,
        retries=retries,
    )
    if session.held and not is_whole(lock):
        make_whole(context.table, session)
    return _answer(facts, _check(context, facts, row))


def _ended(error: str, cause: str) -> CheckAnswer:
    """Return the end of a session that cannot be read."""
    ending = {"endedBy": "problem", "Error": error, "Cause": cause}
    return {"next": END, "sleepSeconds": 1, "requests": "0", "failedChecks": 0, "ending": ending}


def _check(context: CheckContext, facts: Facts, row: Row) -> Decision:
    """Return what comes next, also if that cannot be decided after some retries."""
    began, pauses = time.monotonic(), iter(RETRY_PAUSES_S)
    while True:
        try:
            if not ends_at_once(facts):
                facts = replace(facts, health=_read_health(context, facts))
            decision = _decided(context, facts, row)
            return _note(context, facts, decision, row)
        except RowChangedError:
            raise  # another copy of this check is at work
        except Exception as error:
            context.logger.warning("check failed", extra=loggable(error))
            pause_s = next(pauses, None)
            if pause_s is None or time.monotonic() - began > LONGEST_TRY_S:
                return _failed(context, facts, row, error)
        time.sleep(pause_s)


def _failed(context: CheckContext, facts: Facts, row: Row, error: Exception) -> Decision:
    with suppress(BotoCoreError, ClientError):  # unread, it holds no message back
        facts = replace(facts, health=_read_health(context, facts))
    with suppress(BotoCoreError, ClientError):  # what failed costs no less while it fails
        facts = replace(facts, budget=_read_budget(context, facts, row))
    decision = decide_without(facts, name_of_error(error), str(error))
    try:
        return _note(context, facts, decision, row)
    except RowChangedError:
        raise
    except Exception as failure:  # then the next check tells
        context.logger.warning("check not noted", extra=loggable(failure))
    return decision


def _decided(context: CheckContext, facts: Facts, row: Row) -> Decision:
    end = ends_at_once(facts)
    if end and not facts.session.held:
        return end
    if end:  # the report counts what came until now
        _look_at_records(context, facts, row, searching=False)
        return end
    try:
        # A pause needs no media: it is heard although those cannot be read.
        is_paused = facts.is_paused or _stays_limited(context, facts, row)
        media = None if is_paused else _read_media(context, facts)
        if media is not None:
            facts = replace(facts, progress=facts.progress.with_video(media))
    except VideoStreamGoneError as error:
        _look_at_records(context, facts, row, searching=False)
        return end_by_problem(facts, type(error).__name__, str(error))
    facts = replace(facts, media=media, engine=_read_engine(context, facts.session))
    facts = replace(facts, budget=_read_budget(context, facts, row))
    seen = _look_at_records(context, facts, row, searching=facts.is_searching)
    facts = replace(facts, records_problem=seen.problem, awaits_image=bool(seen.imageless))
    return decide(facts)


def _stays_limited(context: CheckContext, facts: Facts, row: Row) -> bool:
    """Return whether the session was paused at a limit, and still is."""
    if not facts.progress.is_limited:
        return False
    return replace(facts, budget=_read_budget(context, facts, row)).is_over_limit


def _read_budget(context: CheckContext, facts: Facts, row: Row) -> Budget | None:
    metered = Metered(facts.progress.engine_ms, facts.progress.video_bytes)
    return read_budget(context.table, facts.session, row, context.prices, facts.now_ms, metered)


def _bill(context: CheckContext, facts: Facts, decision: Decision, row: Row) -> tuple[int, int]:
    """Add to the month what the session has spent, and will until the next check.

    Return how much that is more than was added before, and for how many seconds it may sleep.
    """
    progress, seconds = decision.progress, decision.sleep_s
    metered = Metered(progress.engine_ms, progress.video_bytes)
    try:
        spent = session_micros(facts.session.engine, row, context.prices, metered)
        spent -= int(row.get("spentMicros", 0))
        ahead_s = seconds if progress.is_started else 0
        added, left_s = reserve(
            context.table, facts.session, context.prices, spent, ahead_s, facts.now_ms
        )
    except Exception as error:  # an amount is no reason to fail
        context.logger.warning("cost not noted", extra=loggable(error))
        return 0, seconds
    return added, max(1, math.floor(left_s)) if left_s < ahead_s else seconds


def _note(context: CheckContext, facts: Facts, decision: Decision, row: Row) -> Decision:
    """Send the messages that are due, then note them, and slow down a loop that does not sleep.

    Return the decision, with a shorter sleep where other sessions have just spent the month.
    """
    if decision.next == END:
        return decision
    health = _claim(context, facts, decision)
    sent = [notice for notice in decision.notices if _is_sent(context, notice.alert)]
    _settle(context, facts, decision.health or facts.health, health, sent)
    progress = decision.progress
    for notice in sent:
        progress = replace(progress, **notice.marks)
    before, answer = facts.progress, f"{decision.next} {facts.requests.count}"
    began = {"runningAt": facts.now_ms} if progress.ran and "runningAt" not in row else {}
    noted = replace(progress, answer=answer, checked=facts.now_ms)
    spent, sleep_s = _bill(context, facts, replace(decision, progress=noted), row)
    try:
        _write(context.table, facts, as_row(noted), began, spent)
    except Exception:
        add_to_month(context.table, facts.now_ms, -spent)
        raise
    with suppress(BotoCoreError, ClientError):  # a count is no reason to fail
        add_counts(context.table, facts.session.id, {"sns:Publish": len(sent)})
    since_s = (facts.now_ms - before.checked) / 1000
    if before.answer == answer and since_s < SHORTEST_LOOP_S:
        time.sleep(SHORTEST_LOOP_S)
    return replace(decision, sleep_s=sleep_s)


def _read_health(context: CheckContext, facts: Facts) -> CameraHealth:
    return read_camera_health(context.table, facts.session.camera)


def _claim(context: CheckContext, facts: Facts, decision: Decision) -> CameraHealth:
    """Write the camera's health, if it has changed, with the messages that will be sent about it.

    A message counts before it is sent: whatever fails after that, a camera has no more of them
    than it may have.
    """
    count = sum(bool(notice.signal) for notice in decision.notices)
    health = (decision.health or facts.health).with_sent(count, facts.now_ms)
    if health == facts.health:
        return health
    return write_camera_health(context.table, facts.session.camera, health, facts.now_ms)


def _settle(
    context: CheckContext,
    facts: Facts,
    before: CameraHealth,
    claimed: CameraHealth,
    sent: list[Notice],
) -> None:
    """Note with the camera what was told; what SNS has refused does not count.

    A refusal is no error: raised, it would let each further try tell the owner again.
    """
    health = before.with_sent(sum(notice.counts for notice in sent), facts.now_ms)
    for notice in sent:
        if notice.signal:
            health = health.with_told(notice.signal, notice.told)
    health = replace(health, version=claimed.version)
    if health == claimed:
        return
    try:
        write_camera_health(context.table, facts.session.camera, health, facts.now_ms)
    except (BotoCoreError, ClientError, RowChangedError) as error:
        context.logger.warning("message not noted", extra=loggable(error))


def _is_sent(context: CheckContext, alert: Alert) -> bool:
    try:
        context.publish(alert)
    except (BotoCoreError, ClientError) as error:
        # No reason to stop searching; the next check tries again.
        context.logger.warning("owner not told", extra=loggable(error))
        return False
    return True


def _write(
    table: Table, facts: Facts, progress: Attributes, began: Mapping[str, int], spent: int
) -> None:
    """Write the progress, unless another copy of this check has; then that one's answer counts."""
    values: dict[str, Attributes | int] = {":check": progress, ":checked": facts.progress.checked}
    update = "SET #check = :check"
    if began:
        update += ", runningAt = if_not_exists(runningAt, :now)"
        values[":now"] = began["runningAt"]
    if spent:
        update += " ADD spentMicros :spent"
        values[":spent"] = spent
    try:
        table.update_item(
            Key=session_key(facts.session.id),
            UpdateExpression=update,
            ConditionExpression="attribute_not_exists(#check) OR #check.checked = :checked",
            ExpressionAttributeNames={"#check": "check"},
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            raise RowChangedError from error
        raise


def _answer(facts: Facts, decision: Decision) -> CheckAnswer:
    return {
        "next": decision.next,
        "sleepSeconds": decision.sleep_s,
        "requests": str(facts.requests.count or 0),  # as DynamoDB takes a number
        "failedChecks": decision.failed_checks,
        "ending": {
            "endedBy": decision.ended_by,
            "Error": decision.error,
            "Cause": decision.cause,
        },
    }


def _read_media(context: CheckContext, facts: Facts) -> Media:
    """Return how fresh the camera's video is; each stream has an endpoint of its own."""
    stream = stream_name(context.names.stack, facts.session.camera)
    now, back_s = facts.now_ms, facts.session.settings.silence_seconds + 2 * LONGEST_SECONDS
    # What is not listed after a long pause is in no bill of the session.
    counted = max(facts.progress.video_until or facts.session.started_ms, now - HOUR_MS)
    since = min(now - round(1000 * back_s), counted)
    try:
        endpoint = context.sources.kinesisvideo.get_data_endpoint(
            StreamName=stream, APIName="LIST_FRAGMENTS"
        )
        archived = context.sources.archived_media(endpoint["DataEndpoint"])
        return newest_media(archived, stream, now, since, counted)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise VideoStreamGoneError(f"there is no video stream {stream}") from error
        raise


def _read_engine(context: CheckContext, session: Session) -> EngineStatus:
    stack, sources, camera = context.names.stack, context.sources, session.camera
    if session.engine == STREAM_PROCESSOR:
        name = processor_name(stack, camera, session.id)
        return processor_status(sources.rekognition, name)
    uri = images_uri(context.names.bucket, context.names.stack, camera)
    return images_status(sources.kinesisvideo, stream_name(stack, camera), uri)


def _look_at_records(
    context: CheckContext, facts: Facts, row: Row, *, searching: bool
) -> HealthState:
    """Return the health of the session's records after another look.

    A look that fails is no reason to fail the check, and none to miss a request or the deadline:
    the next one reads on.
    """
    before, session = records.health_of(row), facts.session
    if "runningAt" not in row:
        return before
    try:
        came = _records_since(context, session, before)
        after = records.evaluate(
            before,
            came,
            records.used_of(row),
            session=session,
            searching=searching,
            now_ms=facts.now_ms,
        )
        if after.imageless and not before.looked:
            after = replace(after, imageless=int(row["runningAt"]))
        after = _with_cause(context, session, after, facts.now_ms)
        return records.keep(context.table, session, before, after)
    except Exception as error:
        context.logger.warning("records not looked at", extra=loggable(error))
        return before


def _with_cause(
    context: CheckContext, session: Session, health: HealthState, now_ms: int
) -> HealthState:
    """Return the health with the reason why no image came, once it is due and can be seen."""
    if not first_image.is_due(health, session, now_ms):
        return health
    sources, stream = context.sources, stream_name(context.names.stack, session.camera)
    reader = first_image.FragmentReader(sources.kinesisvideo, sources.archived_media, stream)
    try:
        return first_image.with_cause(health, reader, session.camera, now_ms)
    except Exception as error:  # the next check tries again
        context.logger.warning("video not looked at", extra=loggable(error))
        return health


def _records_since(context: CheckContext, session: Session, before: HealthState) -> Arrived:
    """Return what came into the camera's data stream, or of its images, since the last look."""
    sources, names, camera = context.sources, context.names, session.camera
    if session.engine != STREAM_PROCESSOR:
        prefix = images_prefix(names.stack, camera)
        return images(sources.s3, names.bucket, prefix, before.positions, session.started_ms)
    stream = stream_name(names.stack, camera)
    try:
        return arrived(sources.kinesis, stream, before.positions, session.started_ms)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return Arrived(positions=before.positions)  # the stream is gone, and so nothing comes
