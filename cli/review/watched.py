"""When a camera was not watched, and why: a time without visits must not look like a quiet one."""

from collections.abc import Iterable
from dataclasses import dataclass

from whosthere.alerts.texts import ENDINGS
from whosthere.clock import DAY_S
from whosthere.dynamodb import Row, Table
from whosthere.session_store import read_locks, read_session_rows, sessions_begun

LONGEST_MS = 1000 * DAY_S  # of a session
NO_SESSION = "no session ran"


@dataclass(frozen=True, slots=True)
class UnwatchedGap:
    """A time without a session; `why` there was none. Times are milliseconds."""

    from_ms: int
    to_ms: int
    why: str


def unwatched_gaps(
    table: Table, cameras: Iterable[str], from_ms: int, to_ms: int, now_ms: int
) -> dict[str, list[UnwatchedGap]]:
    """Return when no session watched each camera between two moments, up to now."""
    named = list(cameras)
    # An earlier version opened the session that still runs, and did not list it.
    ids = {str(lock["session"]) for lock in read_locks(table, named).values()}
    ids |= sessions_begun(table, from_ms - LONGEST_MS, to_ms)
    rows = list(read_session_rows(table, ids).values())
    end_ms = min(to_ms, now_ms)
    return {
        camera: _gaps([row for row in rows if row["camera"] == camera], from_ms, end_ms)
        for camera in named
    }


def _gaps(sessions: Iterable[Row], from_ms: int, end_ms: int) -> list[UnwatchedGap]:
    gaps, at_ms, why = [], from_ms, NO_SESSION
    for row in sorted(sessions, key=lambda row: int(row["startedAt"])):
        if int(row.get("endedAt", end_ms)) <= at_ms:
            continue
        started_ms = int(row["startedAt"])
        if started_ms > at_ms:
            gaps.append(UnwatchedGap(at_ms, min(started_ms, end_ms), why))
        at_ms = int(row.get("endedAt", end_ms))
        why = f"the session had ended: {ENDINGS.get(str(row.get('endedBy')), NO_SESSION)}"
    if at_ms < end_ms:
        gaps.append(UnwatchedGap(at_ms, end_ms, why))
    return [gap for gap in gaps if gap.from_ms < gap.to_ms]
