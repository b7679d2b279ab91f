"""The health of a session's records: do they arrive, can they be read, are they used.

Each check of the session looks once and keeps what it saw in the session's row. Only what is
surely wrong is a problem: an empty door makes records without a face for hours, and no image.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypedDict

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.alerts.texts import NO_RECORDS, UNREADABLE, UNSEARCHED, UNUSED
from whosthere.clock import iso
from whosthere.dynamodb import Row, Table
from whosthere.session.health.arrivals import Arrived
from whosthere.session_store import Session, session_key

# What every record with a face, and every image, of a session ends as, at least once.
USED = ("records", "before_session", "after_session", "images_refused", "images_over_limit")


class HealthFacts(TypedDict):
    """The health as a report tells it; times in ISO 8601 UTC."""

    records: int
    withFace: int
    unreadable: int
    last: str | None
    looked: str
    problem: str
    note: str


@dataclass(frozen=True, slots=True)
class HealthState:
    """What the checks have seen of a session's records; times in milliseconds, 0 for never.

    `imageless` is since when the first image is waited for, `next_sample` when the video is to be
    looked at for the reason, and `note` is that reason where it is no problem.
    """

    records: int = 0
    faces: int = 0
    unreadable: int = 0
    last: int = 0
    looked: int = 0
    used: int = 0
    waiting: bool = False  # records with faces, to be used
    missing: int = 0  # since when something is
    problem: str = ""
    positions: Mapping[str, str] = field(default_factory=dict)
    imageless: int = 0
    next_sample: int = 0
    note: str = ""


def evaluate(
    before: HealthState,
    came: Arrived,
    used: int,
    *,
    session: Session,
    searching: bool,
    now_ms: int,
) -> HealthState:
    """Return the health after another look.

    While nothing is searched (no video, a pause) nothing is missed, and a problem stays what
    it was. One begins when a look has missed something and another one, a while later, still does.
    """
    after = replace(
        before,
        records=before.records + came.records,
        faces=before.faces + came.faces,
        unreadable=before.unreadable + came.unreadable,
        last=max(before.last, came.last_ms),
        looked=now_ms,
        used=used,
        waiting=(before.waiting or came.faces > 0) and used <= before.used,
        positions=came.positions,
    )
    if not searching:
        return replace(after, missing=0, imageless=0)
    has_stream = session.engine == "stream-processor"
    if not has_stream and not after.records:
        return replace(after, imageless=before.imageless or now_ms)
    after = replace(after, imageless=0, note="")
    wrong = _wrong(came, after.waiting) if has_stream else UNSEARCHED if after.waiting else ""
    if not wrong:
        return replace(after, missing=0, problem="")
    missing = before.missing or now_ms
    if not before.problem and now_ms - missing >= 1000 * session.settings.records_missing_seconds:
        after = replace(after, problem=wrong.format(camera=session.camera))
    return replace(after, missing=missing)


def _wrong(came: Arrived, waiting: bool) -> str:
    if not came.records:
        return NO_RECORDS if came.whole else ""
    if came.unreadable == came.records:
        return UNREADABLE
    return UNUSED if waiting else ""


def health_of(row: Row) -> HealthState:
    """Return the health that a session's row holds."""
    kept = row.get("watch", {})
    numbers = {
        name: int(value)
        for name, value in kept.items()
        if name not in ("waiting", "problem", "positions", "note")
    }
    return HealthState(
        **numbers,
        waiting=bool(kept.get("waiting")),
        problem=kept.get("problem", ""),
        positions=kept.get("positions", {}),
        note=kept.get("note", ""),
    )


def facts(watch: HealthState) -> HealthFacts | None:
    """Return the health for a report: all records until `looked`; None without a look."""
    if not watch.looked:
        return None
    return {
        "records": watch.records,
        "withFace": watch.faces,
        "unreadable": watch.unreadable,
        "last": iso(watch.last) if watch.last else None,
        "looked": iso(watch.looked),
        "problem": watch.problem,
        "note": watch.note,
    }


def used_of(row: Row) -> int:
    """Return how many records with a face the functions have used, by the session's counters."""
    return sum(int(row["counts"].get(name, 0)) for name in USED)


def keep(table: Table, session: Session, before: HealthState, after: HealthState) -> HealthState:
    """Write the health into the session's row; return what stands there if it was written since."""
    try:
        table.update_item(
            Key=session_key(session.id),
            UpdateExpression="SET watch = :watch",
            ConditionExpression="attribute_not_exists(watch) OR watch.looked = :looked",
            ExpressionAttributeValues={":watch": asdict(after), ":looked": before.looked},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return health_of(dynamodb.read(table, session_key(session.id)) or {})
    return after
