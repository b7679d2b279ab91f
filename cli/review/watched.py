"""When a camera was not watched, and why: a time without visits must not look like a quiet one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from whosthere.alerts.texts import ENDINGS
from whosthere.clock import DAY_S, now_ms
from whosthere.dynamodb import Row, Table
from whosthere.session_store import read_locks, read_session_rows, sessions_begun
from whosthere.visits.history import span_of_days

LONGEST_MS = 1000 * DAY_S  # of a session
NO_SESSION = "no session ran"


@dataclass(frozen=True, slots=True)
class UnwatchedGap:
    """A time without a session; `why` there was none. Times are milliseconds."""

    from_ms: int
    to_ms: int
    why: str


def show_day(table: Table, cameras: Iterable[str], day: date, time_zone: str) -> dict[str, Any]:
    """Return a day of the owner's clock, and when each camera was not watched, for the page."""
    span, now = span_of_days(day, 1, time_zone), now_ms()
    found = unwatched_gaps(table, cameras, span.from_ms, span.to_ms, now)
    shown = []
    for camera, gaps in found.items():
        seen_ms = min(span.to_ms, now) - span.from_ms
        shown.append(
            {
                "camera": camera,
                "watched": sum(gap.to_ms - gap.from_ms for gap in gaps) < seen_ms,
                "gaps": [{"from": gap.from_ms, "to": gap.to_ms, "why": gap.why} for gap in gaps],
            }
        )
    return {
        "day": day.isoformat(),
        "from": span.from_ms,
        "to": span.to_ms,
        "cameras": shown,
    }


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
