"""Read from the table what a camera does at the moment; `status` prints it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table
from whosthere.names import STRANGER_PREFIX
from whosthere.people.store import name_of
from whosthere.session.health.records import HealthState, health_of
from whosthere.session.report import UnsurePerson, unsure_persons
from whosthere.session.requests import SessionRequests, read_requests
from whosthere.session_store import Session, latest_session, session_key
from whosthere.visits.history import DAY_MS
from whosthere.visits.store import visits_of, visits_of_sessions
from whosthere.visits.visit import Visit

RECENT_MS = 60_000  # a wait that was seen longer ago says nothing of now


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera and its session, the last one if none runs; times in milliseconds.

    `unsure` are the persons that unsure faces resembled, by name; `counts` are the session's.
    `image_wait_ms` is how long the image that was searched last had waited.
    """

    camera: str
    state: str
    session: Session | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    paused_until_ms: int | None = None
    last_record_ms: int | None = None
    watch: HealthState = field(default_factory=HealthState)
    visits: int = 0
    strangers: int = 0
    unsure: tuple[tuple[str, UnsurePerson], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    image_wait_ms: int = 0


def read_camera_statuses(table: Table, cameras: Iterable[str], now_ms: int) -> list[CameraStatus]:
    """Return what cameras do now, by few queries; `visits` are only those of running sessions."""
    named = list(cameras)
    latest = [latest_session(table, camera) for camera in named]
    held = [session for session in latest if session and session.held]
    since_ms = min([session.started_ms for session in held], default=now_ms) - DAY_MS // 2
    visits = visits_of_sessions(table, [session.id for session in held], since_ms, now_ms)
    return [read_camera_status(table, camera, now_ms, visits) for camera in named]


def read_camera_status(
    table: Table, camera: str, now_ms: int, visits: Iterable[Visit] | None = None
) -> CameraStatus:
    """Return what the camera does now; only confirmed visits count.

    `visits` are among others those of its session, if they were read already.
    """
    session = latest_session(table, camera)
    if session is None:
        return CameraStatus(camera, "free")
    row = dynamodb.read(table, session_key(session.id)) or {}
    if visits is None:
        visits = visits_of(table, session.id, camera)
    found = [one for one in visits if one.session == session.id]
    confirmed = [one for one in found if one.alert != "none"]
    strangers = sum(one.who.startswith(STRANGER_PREFIX) for one in confirmed)
    last = row.get("lastRecord")
    requests = read_requests(table, camera, session.id)
    state = _state(session, requests, row, now_ms)
    return CameraStatus(
        camera,
        state,
        session,
        since_ms=session.started_ms if session.held else session.ended_ms,
        until_ms=session.deadline_ms if session.held else None,
        paused_until_ms=requests.paused_until_ms if state == "paused" else None,
        last_record_ms=None if last is None else int(last),
        watch=health_of(row),
        visits=len(confirmed) - strangers,
        strangers=strangers,
        unsure=tuple([(name_of(table, one["who"]), one) for one in unsure_persons(found)]),
        counts=row.get("counts", {}),
        image_wait_ms=_image_wait_ms(row, now_ms),
    )


def _image_wait_ms(row: Row, now_ms: int) -> int:
    """Return how long images wait to be searched; 0 if none was searched lately."""
    waited = row.get("waited", {"at": 0, "ms": 0})
    return int(waited["ms"]) if now_ms - int(waited["at"]) < RECENT_MS else 0


def _state(session: Session, requests: SessionRequests, row: Row, now_ms: int) -> str:
    if not session.held:
        return "free"
    if requests.stop:
        return "stopping"
    if requests.paused_until_ms > now_ms:
        return "paused"
    if "runningAt" not in row:
        return "waiting for video"
    # Kinesis Video Streams takes a minute until it makes images.
    if session.engine == "image-search" and "lastRecord" not in row:
        return "warming up"
    return "searching"
