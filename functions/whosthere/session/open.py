"""From the input of a session to its plan, and to what the state machine needs to know of it."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from whosthere import settings as _settings
from whosthere.clock import DAY_S
from whosthere.names import processor_name, stream_name
from whosthere.session_store import Session

# An execution ends with an error when it has 25,000 events (Step Functions, quotas). A health
# check takes 13 of them; what is left is for retries, requests and pauses.
MOST_CHECKS = 1500


def deadline_of(request: Mapping[str, Any], now_ms: int, time_zone: str) -> int:
    """The deadline that `minutes` or `until` asks for, in milliseconds since the epoch."""
    if "minutes" in request:
        return now_ms + round(60_000 * float(request["minutes"]))
    zone = _settings.zone(time_zone)
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
) -> Session:
    """The session that the request asks for; raises SessionInputError if its names are unusable."""
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
    )


def opened(
    session: Session, *, stack: str, video_arn: str, data_arn: str, bucket: str
) -> dict[str, Any]:
    """What the state machine keeps of the session: ids, ARNs and numbers, no name of anybody."""
    settings = session.settings
    deadline = datetime.fromtimestamp(
        session.deadline_ms / 1000, _settings.zone(settings.time_zone)
    )
    return {
        "id": session.id,
        "camera": session.camera,
        "engine": session.engine,
        "deadline": session.deadline_ms,
        "deadlineText": deadline.strftime("%H:%M"),
        "stream": stream_name(stack, session.camera),
        "videoArn": video_arn,
        "dataArn": data_arn,
        "processor": processor_name(stack, session.camera, session.id),
        # Kinesis Video Streams appends `_<account>_<stream>_...` or `/` to this; the last
        # slash makes the camera a folder of its own either way.
        "imagesUri": f"s3://{bucket}/frames/{session.camera}/",
        "samplingMilliseconds": max(200, round(1000 * settings.sampling_seconds)),
        "healthCheckSeconds": max(settings.health_check_seconds, _shortest_check_s(session)),
        "mediaWaitSeconds": settings.media_wait_seconds,
        "onSilence": settings.on_silence,
        # From when a silence is noticed until it ends the session.
        "silenceLeftSeconds": max(0, settings.silence_limit_seconds - settings.silence_seconds),
        "tell": list(settings.tell),
    }


def _shortest_check_s(session: Session) -> int:
    """Seconds between two health checks with which the session's execution is not too long."""
    return math.ceil((session.deadline_ms - session.started_ms) / 1000 / MOST_CHECKS)
