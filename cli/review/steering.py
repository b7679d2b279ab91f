"""What the page does with cameras: start, stop, pause and resume their sessions, and clips."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.aws.cameras.camera_status import spent_limit
from cli.aws.sessions.session_start import plan_session, refuse_busy, start_session
from cli.aws.target import Target, require_camera
from cli.aws.time_formats import format_time
from cli.errors import InputError
from whosthere import settings
from whosthere.alerts.texts import limit_advice
from whosthere.clock import now_ms, utc
from whosthere.names import stream_name
from whosthere.session.requests import request_pause, request_stop
from whosthere.session_store import read_session

if TYPE_CHECKING:
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient
    from mypy_boto3_kinesisvideo.literals import APINameType

MINUTE_MS = 60_000
LIVE_MS = 10_000  # a fragment can be fetched when it is complete and stored
MOST_CLIP_MS = 5 * MINUTE_MS
MOST_CLIP_BYTES = 100 * 1024 * 1024  # Kinesis Video Streams, GetClip
NOT_KEPT = ("ResourceNotFoundException", "NoDataRetentionException")


class CameraControl:
    """The cameras of a stack; calls may come from several threads at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._clients: dict[tuple[str, str], KinesisVideoArchivedMediaClient] = {}

    def plan(self, camera: str, minutes: int) -> str:
        """Return until when a session would run, and what it costs at most."""
        return str(plan_session(self._target, camera, self._request(camera, minutes)))

    def steer(self, act: str, camera: str, minutes: int) -> str:
        """Start, stop, pause or resume a camera's session; return what happened."""
        acts: dict[str, Callable[[str, int], str]] = {
            "start": self._start,
            "stop": self._stop,
            "pause": self._pause,
            "resume": self._pause,
        }
        if act not in acts:
            raise InputError(f"there is no act {act!r} on cameras")
        return acts[act](require_camera(self._target, camera), minutes)

    def clip(self, camera: str, from_ms: int, to_ms: int) -> bytes:
        """Return the stored video of that time as MP4; InputError if it is not kept."""
        if not from_ms < to_ms <= from_ms + MOST_CLIP_MS:
            raise InputError("A clip is at most five minutes long.")
        stream = stream_name(self._target.stack, require_camera(self._target, camera))
        span = {"StartTimestamp": utc(from_ms), "EndTimestamp": utc(to_ms)}
        try:
            answer = self._media(stream, "GET_CLIP").get_clip(
                StreamName=stream,
                ClipFragmentSelector={
                    "FragmentSelectorType": "PRODUCER_TIMESTAMP",
                    "TimestampRange": span,  # type: ignore[typeddict-item]
                },
            )
            return answer["Payload"].read(MOST_CLIP_BYTES)
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_KEPT:
                raise InputError(f"The video of {camera} is not kept any more.") from error
            raise

    def live(self, camera: str) -> bytes:
        """Return the newest stored picture of a camera, as JPEG; InputError if there is none."""
        stream = stream_name(self._target.stack, require_camera(self._target, camera))
        now = now_ms()
        try:
            found = self._media(stream, "GET_IMAGES").get_images(
                StreamName=stream,
                ImageSelectorType="SERVER_TIMESTAMP",
                StartTimestamp=utc(now - LIVE_MS),
                EndTimestamp=utc(now),
                SamplingInterval=LIVE_MS // 2,
                Format="JPEG",
                MaxResults=2,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_KEPT:
                raise InputError(f"{camera} sends no video.") from error
            raise
        contents = [image.get("ImageContent") for image in found["Images"]]
        newest = next((one for one in reversed(contents) if one), None)
        if newest is None:
            raise InputError(f"{camera} sends no video.")
        return base64.b64decode(newest)

    def _media(self, stream: str, call: "APINameType") -> "KinesisVideoArchivedMediaClient":
        if (stream, call) not in self._clients:
            session = self._target.session
            found = session.client("kinesisvideo").get_data_endpoint(
                StreamName=stream, APIName=call
            )
            self._clients[stream, call] = session.client(
                "kinesis-video-archived-media", endpoint_url=found["DataEndpoint"]
            )
        return self._clients[stream, call]

    def _request(self, camera: str, minutes: int) -> dict[str, object]:
        request = {"camera": require_camera(self._target, camera), "minutes": minutes}
        settings.check(request, "input", "input")
        return request

    def _start(self, camera: str, minutes: int) -> str:
        request = self._request(camera, minutes)
        refuse_busy(self._target, camera)
        plan = plan_session(self._target, camera, request)
        start_session(self._target, request)
        return f"Started: {plan}."

    def _stop(self, camera: str, _minutes: int) -> str:
        machine = self._target.session.client("stepfunctions")
        if request_stop(self._target.table(), machine, camera) is None:
            raise InputError(f"{camera}: no session runs")
        return f"{camera} stops; its report follows."

    def _pause(self, camera: str, minutes: int) -> str:
        machine = self._target.session.client("stepfunctions")
        table, now = self._target.table(), now_ms()
        until_ms = now + MINUTE_MS * max(0, minutes)
        session_id = request_pause(table, machine, camera, until_ms)
        session = read_session(table, session_id) if session_id else None
        if session is None:
            raise InputError(f"{camera}: no session runs")
        if minutes <= 0:
            spent = spent_limit(table, camera, now)
            return (
                f"{spent} is spent. {limit_advice(camera, spent)}"
                if spent
                else f"{camera} goes on."
            )
        until = format_time(until_ms, session.settings.time_zone, now)
        return f"{camera} is paused until {until}; the session's deadline stays."
