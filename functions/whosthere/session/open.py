"""From the input of a session to its plan, and to what the state machine needs to know of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict
from zoneinfo import ZoneInfo

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from whosthere import settings as _settings
from whosthere import settings_file
from whosthere.clock import DAY_S
from whosthere.dynamodb import Table
from whosthere.errors import SessionInputError, TryAgainError
from whosthere.names import images_uri, people_collection, processor_name, stream_name
from whosthere.people.collections import collection_name, read_collections
from whosthere.session.lock import open_session
from whosthere.session_store import Session, lock_key

if TYPE_CHECKING:
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_kinesisvideo.type_defs import ImageGenerationConfigurationTypeDef
    from mypy_boto3_s3 import S3Client

# An execution fails when it has 25,000 events (Step Functions, quotas). A check and its sleep take
# 13 (counted in tests/statemachine/test_session.py); the rest is for retries and requests.
MOST_CHECKS = 1440
# Seconds. A check that failed is slept over, ever longer; so many in a row end the session.
LONGEST_SLEEP_S = 600
MOST_FAILED_CHECKS = 10
# boto3 would wait for an answer for as long as a function may take: 60 s.
SHORT_TIMEOUTS = Config(connect_timeout=3, read_timeout=8, retries={"total_max_attempts": 2})
# KinesisVideo, ImageGenerationConfiguration: SamplingInterval, in milliseconds.
SHORTEST_SAMPLING_MS = 200


class NextStep(TypedDict):
    """What the state machine does next, and how long it sleeps if it does."""

    next: str
    sleepSeconds: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the deployed stack is called, and the parts of it that a session is planned with."""

    stack: str
    engine: str
    bucket: str
    region: str
    data_stream_arn_prefix: str


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What opening works with; `create_schedule` plans the stop after the deadline."""

    table: Table
    s3: "S3Client"
    kinesisvideo: "KinesisVideoClient"
    create_schedule: Callable[[Session], object]
    deployment: Deployment


def open_requested_session(
    context: OpenContext,
    request: Mapping[str, Any],
    *,
    session_id: str,
    execution: str,
    started_ms: int,
) -> dict[str, object]:
    """Open the session that is asked for; return what the state machine keeps of it.

    Raises SessionInputError for an input that cannot be used, CameraBusyError if another session
    holds the camera, and TryAgainError if AWS stayed busy for longer than the SDK retries.
    """
    _settings.check(request, "input", "input")
    try:
        return _open(context, request, session_id, execution, started_ms)
    except (ConnectionError, HTTPClientError) as error:  # no connection, or no answer
        raise TryAgainError(str(error)) from error
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("MaxAttemptsReached"):
            raise TryAgainError(str(error)) from error
        raise


def _open(
    context: OpenContext,
    request: Mapping[str, Any],
    session_id: str,
    execution: str,
    started_ms: int,
) -> dict[str, object]:
    stack, bucket = context.deployment.stack, context.deployment.bucket
    file, camera = settings_file.read(context.s3, bucket), request["camera"]
    values = _settings.merge(file, camera, request.get("settings", {}))
    session = plan(
        request,
        values,
        collection=read_collections(context.table).in_use,
        stack=stack,
        engine=context.deployment.engine,
        session_id=session_id,
        execution=execution,
        started_ms=started_ms,
    )
    video_arn = _video_stream_arn(context.kinesisvideo, stack, camera)
    requests = open_session(context.table, session, values)
    context.create_schedule(session)
    return opened(
        session,
        requests=requests,
        stack=stack,
        video_arn=video_arn,
        data_arn=f"{context.deployment.data_stream_arn_prefix}{camera}",
        bucket=bucket,
        region=context.deployment.region,
    )


def _video_stream_arn(kinesisvideo: "KinesisVideoClient", stack: str, camera: str) -> str:
    """Return the ARN of a video stream, which holds its time of creation.

    One that keeps no video shows a session nothing: no fragment is listed, no image is made.
    """
    try:
        found = kinesisvideo.describe_stream(StreamName=stream_name(stack, camera))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise SessionInputError(
                f"camera: {camera!r} is no camera of stack {stack}; "
                "cameras are the stack's parameter Cameras"
            ) from error
        raise
    if found["StreamInfo"].get("DataRetentionInHours") == 0:
        raise SessionInputError(
            f"camera: the video stream of {camera!r} keeps no video (its retention is 0 hours); "
            "deploy with VideoRetentionHours of at least 1"
        )
    return found["StreamInfo"]["StreamARN"]


def deadline_of(request: Mapping[str, Any], now_ms: int, time_zone: str) -> int:
    """Return the deadline that `minutes` or `until` asks for, in milliseconds since the epoch."""
    if "minutes" in request:
        return now_ms + round(60_000 * float(request["minutes"]))
    zone = ZoneInfo(time_zone)
    here = datetime.fromtimestamp(now_ms / 1000, zone)
    hour, minute = (int(part) for part in request["until"].split(":"))
    then = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then.timestamp() * 1000 <= now_ms:
        then += timedelta(days=1)  # on the wall clock: the zone finds the offset of that day
    return min(round(then.timestamp() * 1000), now_ms + DAY_S * 1000)


def plan(
    request: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    stack: str,
    engine: str,
    session_id: str,
    execution: str,
    started_ms: int,
    collection: int = 1,
) -> Session:
    """Return the session that is asked for; raise SessionInputError if its names are unusable."""
    camera = request["camera"]
    processor_name(stack, camera, session_id)  # refuses an id that cannot name a processor
    return Session(
        id=session_id,
        camera=camera,
        engine=engine,
        execution=execution,
        started_ms=started_ms,
        deadline_ms=deadline_of(request, started_ms, values["timeZone"]),
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=_settings.from_values(values),
        collection=collection,
    )


def opened(
    session: Session,
    *,
    requests: int,
    stack: str,
    video_arn: str,
    data_arn: str,
    bucket: str,
    region: str,
) -> dict[str, object]:
    """Return what the state machine keeps of the session: ids, keys, ARNs, no name of anybody.

    `requests` is as DynamoDB takes a number, `deadline` in seconds since the epoch.
    """
    every_s = health_check_s(session)
    return {
        "id": session.id,
        "camera": session.camera,
        "engine": session.engine,
        "stream": stream_name(stack, session.camera),
        "videoArn": video_arn,
        "dataArn": data_arn,
        "processor": processor_name(stack, session.camera, session.id),
        "collection": collection_name(people_collection(stack), session.collection),
        "lockKey": {name: {"S": value} for name, value in lock_key(session.camera).items()},
        "imageGeneration": image_generation(session, stack, bucket, region),
        "requests": str(requests),
        "deadline": session.deadline_ms / 1000,
        "afterFailedCheck": after_failed_check(every_s),
    }


def image_generation(
    session: Session, stack: str, bucket: str, region: str
) -> "ImageGenerationConfigurationTypeDef":
    """Return the ImageGenerationConfiguration of Kinesis Video Streams for the session."""
    return {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": {
            "Uri": images_uri(bucket, stack, session.camera),
            "DestinationRegion": region,
        },
        "SamplingInterval": max(
            SHORTEST_SAMPLING_MS, round(1000 * session.settings.sampling_seconds)
        ),
        "Format": "JPEG",
    }


def after_failed_check(every_s: int) -> list[NextStep]:
    """Return the answers that stand in for failed checks in a row: sleeps, then the end."""
    sleeps = [
        max(every_s, min(LONGEST_SLEEP_S, every_s * 2**number))
        for number in range(1, MOST_FAILED_CHECKS)
    ]
    steps: list[NextStep] = [{"next": "sleep", "sleepSeconds": one} for one in sleeps]
    return [*steps, {"next": "end", "sleepSeconds": 1}]


def health_check_s(session: Session) -> int:
    """Return the seconds between two checks: not so few that the execution has too many events."""
    shortest = math.ceil((session.deadline_ms - session.started_ms) / 1000 / MOST_CHECKS)
    return max(session.settings.health_check_seconds, shortest)
