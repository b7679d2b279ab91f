"""Health check of a session: media, engine, records, deadline, stop request. Facts only."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from whosthere.errors import LockLostError
from whosthere.names import processor_name, stream_name
from whosthere.session.engine import images_of
from whosthere.session.health import records as record_watch
from whosthere.session.health.arrivals import Arrived, arrived, images
from whosthere.session.health.media import LONGEST_SECONDS, Media, newest_media
from whosthere.session.health.records import Watch
from whosthere.session.requests import wishes
from whosthere.session_store import Session, read_session, session_key

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
kinesis = boto3.client("kinesis")
kinesisvideo = boto3.client("kinesisvideo")
rekognition = boto3.client("rekognition")
s3 = boto3.client("s3")


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """What the state machine decides by; seconds are the server's."""
    session = read_session(table, event["session"])
    if session is None or not session.held:
        raise LockLostError("the session does not hold its camera any more")
    now_ms = round(time.time() * 1000)
    asked = wishes(table, session)
    media = media_of(session, now_ms)
    searching_ms = now_ms - max(session.started_ms, asked.paused_until_ms)
    silence_s = session.settings.silence_seconds
    problem = engine_problem(session)
    searching = media.is_live and searching_ms > 0 and not problem
    return {
        "live": media.is_live,
        "silent": media.is_silent(silence_s) and searching_ms > silence_s * 1000,
        "engineProblem": problem,
        "recordsProblem": records_problem(session, searching, now_ms),
        "overdue": now_ms >= session.deadline_ms,
        "waitedSeconds": searching_ms // 1000,
        "stopRequested": asked.stop,
        "paused": searching_ms < 0,
        "pausedUntil": asked.paused_until_ms,
    }


def media_of(session: Session, now_ms: int) -> Media:
    """How fresh the camera's video stream is; each stream has an endpoint of its own."""
    stream = stream_name(STACK, session.camera)
    endpoint = kinesisvideo.get_data_endpoint(StreamName=stream, APIName="LIST_FRAGMENTS")
    archived = boto3.client("kinesis-video-archived-media", endpoint_url=endpoint["DataEndpoint"])
    back_s = session.settings.silence_seconds + 2 * LONGEST_SECONDS
    return newest_media(archived, stream, now_ms, now_ms - round(1000 * back_s))


def engine_problem(session: Session) -> str:
    """Why nothing is searched any more; empty if all is well."""
    if session.engine != "stream-processor":
        on = images_of(kinesisvideo, stream_name(STACK, session.camera))
        return "" if on else "image generation was switched off from outside"
    try:
        found = rekognition.describe_stream_processor(
            Name=processor_name(STACK, session.camera, session.id)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return "the stream processor is gone"
    if found["Status"] in ("FAILED", "STOPPED"):
        return f"{found['Status']}: {found.get('StatusMessage', 'stopped from outside')}"
    return ""


def records_problem(session: Session, searching: bool, now_ms: int) -> str:
    """What is wrong with the session's records; empty if all is well.

    A look that fails is no reason to end a session: the next one reads on.
    """
    row = table.get_item(Key=session_key(session.id), ConsistentRead=True)["Item"]
    before = record_watch.watch_of(row)
    if "runningAt" not in row:
        return before.problem
    try:
        came = records_since(session, before)
        after = record_watch.judged(
            before,
            came,
            record_watch.used_of(row),
            session=session,
            searching=searching,
            now_ms=now_ms,
        )
        return record_watch.keep(table, session, before, after).problem
    except (BotoCoreError, ClientError) as error:
        logger.warning("records not looked at", extra={"error": type(error).__name__})
        return before.problem


def records_since(session: Session, before: Watch) -> Arrived:
    """What came into the camera's data stream, or of its images, since the last look."""
    if session.engine != "stream-processor":
        return images(s3, BUCKET, session.camera, before.positions, session.started_ms)
    stream = stream_name(STACK, session.camera)
    try:
        return arrived(kinesis, stream, before.positions, session.started_ms)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return Arrived(positions=before.positions)  # the stream is gone, and so nothing comes
