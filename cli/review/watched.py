"""When a camera was not watched, and why: a time without visits must not look like a quiet one."""

from dataclasses import dataclass

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.alerts.texts import ENDINGS
from whosthere.clock import DAY_S
from whosthere.dynamodb import Table
from whosthere.session_store import session_key

LONGEST_MS = 1000 * DAY_S  # of a session
NO_SESSION = "no session ran"


@dataclass(frozen=True, slots=True)
class UnwatchedGap:
    """A time without a session; `why` there was none. Times are milliseconds."""

    from_ms: int
    to_ms: int
    why: str


def unwatched_gaps(
    table: Table, camera: str, from_ms: int, to_ms: int, now_ms: int
) -> list[UnwatchedGap]:
    """Return when no session watched the camera between two moments, up to now."""
    begun = Key("sk").between(
        f"session#{max(0, from_ms - LONGEST_MS):013d}", f"session#{to_ms:013d}"
    )
    rows = dynamodb.query(table, Key("pk").eq(f"camera#{camera}") & begun)
    ids = [str(row["session"]) for row in rows]
    sessions = [found for one in ids if (found := dynamodb.read(table, session_key(one)))]
    gaps, at_ms, why = [], from_ms, NO_SESSION
    end_ms = min(to_ms, now_ms)
    for row in sorted(sessions, key=lambda row: int(row.get("startedAt", 0))):
        if "startedAt" not in row or int(row.get("endedAt", end_ms)) <= at_ms:
            continue
        started_ms = int(row["startedAt"])
        if started_ms > at_ms:
            gaps.append(UnwatchedGap(at_ms, min(started_ms, end_ms), why))
        at_ms = int(row.get("endedAt", end_ms))
        why = f"the session had ended: {ENDINGS.get(str(row.get('endedBy')), NO_SESSION)}"
    if at_ms < end_ms:
        gaps.append(UnwatchedGap(at_ms, end_ms, why))
    return [gap for gap in gaps if gap.from_ms < gap.to_ms]
