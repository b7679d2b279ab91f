"""What a check of a session reads of AWS: video, engine, records."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere.alerts.message import Alert
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.costs.usage import HOUR_MS
from whosthere.dynamodb import Row, Table
from whosthere.errors import VideoStreamGoneError, loggable
from whosthere.names import StackNames, images_prefix, images_uri, processor_name, stream_name
from whosthere.session.engine import STREAM_PROCESSOR, EngineStatus, images_status, processor_status
from whosthere.session.facts import Facts
from whosthere.session.health import first_image, records
from whosthere.session.health.arrivals import Arrived, arrived, images
from whosthere.session.health.media import LONGEST_SECONDS, Media, newest_media
from whosthere.session.health.records import HealthState
from whosthere.session_store import Session

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_s3 import S3Client


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


def read_media(context: CheckContext, facts: Facts) -> Media:
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


def read_engine(context: CheckContext, session: Session) -> EngineStatus:
    """Return the state of the session's engine."""
    stack, sources, camera = context.names.stack, context.sources, session.camera
    if session.engine == STREAM_PROCESSOR:
        name = processor_name(stack, camera, session.id)
        return processor_status(sources.rekognition, name)
    uri = images_uri(context.names.bucket, context.names.stack, camera)
    return images_status(sources.kinesisvideo, stream_name(stack, camera), uri)


def look_at_records(
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
