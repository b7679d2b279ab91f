"""Read from the table what a camera does at the moment; `status` prints it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table
from whosthere.names import STRANGER_PREFIX
from whosthere.people.store import name_of
from whosthere.session.health.records import HealthState, health_of
from whosthere.session.report import UnsurePerson, quality_drops, unsure_persons
from whosthere.session.requests import SessionRequests, read_requests
from whosthere.session_store import Session, latest_session, session_key
from whosthere.visits.store import visits_of


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera and its session, the last one if none runs; times in milliseconds.

    `unsure` are the persons that unsure faces resembled, by name, `quality_drops` the faces of
    strangers that failed the quality gate, by check.
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
    quality_drops: Mapping[str, int] = field(default_factory=dict)


def read_camera_status(table: Table, camera: str, now_ms: int) -> CameraStatus:
    """Return what the camera does now; only confirmed visits count."""
    session = latest_session(table, camera)
    if session is None:
        return CameraStatus(camera, "free")
    row = dynamodb.read(table, session_key(session.id)) or {}
    found = visits_of(table, session.id, camera)
    visits = [one for one in found if one.alert != "none"]
    strangers = sum(one.who.startswith(STRANGER_PREFIX) for one in visits)
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
        visits=len(visits) - strangers,
        strangers=strangers,
        unsure=tuple([(name_of(table, one["who"]), one) for one in unsure_persons(found)]),
        quality_drops=quality_drops(row.get("counts", {})),
    )


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
