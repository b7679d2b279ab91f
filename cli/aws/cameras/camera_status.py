"""Read from the table what a camera does at the moment; `status` prints it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from whosthere.costs.limits import MICROS, read_budget, session_micros
from whosthere.costs.prices import price_table
from whosthere.dynamodb import Row, Table
from whosthere.names import STRANGER_PREFIX
from whosthere.people.store import name_of
from whosthere.session.health.records import HealthState, health_of
from whosthere.session.progress import progress_of
from whosthere.session.report import unsure_persons
from whosthere.session.reported import UnsurePerson
from whosthere.session.requests import SessionRequests, requests_of
from whosthere.session_store import Session, read_locks, read_session_rows, session_of
from whosthere.visits.history import DAY_MS
from whosthere.visits.queries import visits_of, visits_of_sessions
from whosthere.visits.visit import Visit

LIMIT_REACHED = "limit reached"
RECENT_MS = 60_000  # a wait that was seen longer ago says nothing of now


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera and its session, the last one if none runs; times in milliseconds.

    `unsure` are the persons that unsure faces resembled, by name; `counts` are the session's,
    `dollars` what it has cost so far. `image_wait_ms` is how long the image that was searched last
    had waited. `limit` is the setting that lets it search nothing, because it is spent.
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
    dollars: float = 0
    image_wait_ms: int = 0
    limit: str = ""


@dataclass(frozen=True, slots=True)
class _Latest:
    """The last session of a camera, with its row, the camera's lock, and what it has cost."""

    session: Session
    row: Row
    lock: Row
    dollars: float


def read_camera_statuses(table: Table, cameras: Sequence[str], now_ms: int) -> list[CameraStatus]:
    """Return what cameras do now, by few queries; `visits` are only those of running sessions."""
    latest = _read_latest(table, cameras)
    held = [one.session for one in latest.values() if one.session.held]
    since_ms = min([session.started_ms for session in held], default=now_ms) - DAY_MS // 2
    visits = visits_of_sessions(table, [session.id for session in held], since_ms, now_ms)
    called = cache(partial(name_of, table))
    return [_status(camera, latest.get(camera), visits, now_ms, called) for camera in cameras]


def read_camera_status(table: Table, camera: str, now_ms: int) -> CameraStatus:
    """Return what the camera does now; only confirmed visits count."""
    latest = _read_latest(table, [camera]).get(camera)
    visits = visits_of(table, latest.session.id, camera) if latest else []
    return _status(camera, latest, visits, now_ms, partial(name_of, table))


def spent_limit(table: Table, camera: str, now_ms: int) -> str:
    """Return the setting that still pauses the camera's session at a limit; empty if none does."""
    latest = _read_latest(table, [camera]).get(camera)
    if latest is None:
        return ""
    session, row, progress = latest.session, latest.row, progress_of(latest.row)
    budget = read_budget(
        table, session, row, price_table(table.meta.client.meta.region_name), now_ms
    )
    is_limited = progress.is_limited and progress.limit == (budget.limits if budget else None)
    if budget and (budget.is_spent or is_limited):
        return budget.limit_name
    return ""


def _read_latest(table: Table, cameras: Iterable[str]) -> dict[str, _Latest]:
    """Return the last session of each camera that had one, by two calls for all."""
    locks = read_locks(table, cameras)
    rows = read_session_rows(table, [lock["session"] for lock in locks.values()])
    prices = price_table(table.meta.client.meta.region_name)
    return {
        camera: _Latest(session, row, lock, session_micros(session.engine, row, prices) / MICROS)
        for camera, lock in locks.items()
        if (row := rows.get(lock["session"]))
        and (session := session_of(lock["session"], row, lock))
    }


def _status(
    camera: str,
    latest: _Latest | None,
    visits: Iterable[Visit],
    now_ms: int,
    called: Callable[[str], str],
) -> CameraStatus:
    if latest is None:
        return CameraStatus(camera, "free")
    session, row = latest.session, latest.row
    found = [one for one in visits if one.session == session.id]
    confirmed = [one for one in found if one.alert != "none"]
    strangers = sum(one.who.startswith(STRANGER_PREFIX) for one in confirmed)
    last = row.get("lastRecord")
    requests = requests_of(latest.lock, session.id)
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
        unsure=tuple([(called(one["who"]), one) for one in unsure_persons(found)]),
        counts=row.get("counts", {}),
        dollars=latest.dollars,
        image_wait_ms=_image_wait_ms(row, now_ms),
        limit=progress_of(row).limit_name if state == LIMIT_REACHED else "",
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
    if progress_of(row).is_limited:
        return LIMIT_REACHED
    if "runningAt" not in row:
        return "waiting for video"
    # Kinesis Video Streams takes a minute until it makes images.
    if session.engine == "image-search" and not _has_image(row):
        return "warming up"
    return "searching"


def _has_image(row: Row) -> bool:
    """Return whether an image of the session came: searched, refused, or seen by a check."""
    is_used = "lastRecord" in row or bool(row["counts"].get("images_refused"))
    return is_used or health_of(row).records > 0
