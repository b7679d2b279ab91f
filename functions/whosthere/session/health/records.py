"""The session's own watch over its records: do they come, can they be read, are they used.

A look is a health check, and what it saw lies in the session's row. Only what is surely
wrong is a problem: an empty door makes records without a face for hours, and no image.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from whosthere.clock import iso
from whosthere.dynamodb import Table
from whosthere.session.health.arrivals import Arrived
from whosthere.session_store import Session, session_key

# What every record with a face, and every image, of a session ends as, at least once.
USED = ("records", "before_session", "after_session", "images_refused")
NO_RECORDS = "Video comes from {camera}, but no record of it."
UNREADABLE = "Records of {camera} come, but none of them is JSON with a FaceSearchResponse."
UNUSED = "Records of {camera} with faces come, but none of them is used."
UNSEARCHED = "Images of {camera} come, but none of them is searched."


@dataclass(frozen=True, slots=True)
class Watch:
    """What the looks at a session's records saw so far; times in milliseconds, 0 for never."""

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


def judged(
    before: Watch,
    came: Arrived,
    used: int,
    *,
    session: Session,
    searching: bool,
    now_ms: int,
) -> Watch:
    """The watch after another look.

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
        return replace(after, missing=0)
    has_stream = session.engine == "stream-processor"
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


def watch_of(row: Mapping[str, Any]) -> Watch:
    """The watch as a session's row holds it."""
    kept = row.get("watch", {})
    numbers = {
        name: int(value)
        for name, value in kept.items()
        if name not in ("waiting", "problem", "positions")
    }
    return Watch(
        **numbers,
        waiting=bool(kept.get("waiting")),
        problem=kept.get("problem", ""),
        positions=kept.get("positions", {}),
    )


def facts(watch: Watch) -> dict[str, Any] | None:
    """The watch for a report: all that came, face or not, until `looked`; None without a look."""
    if not watch.looked:
        return None
    return {
        "records": watch.records,
        "withFace": watch.faces,
        "unreadable": watch.unreadable,
        "last": iso(watch.last) if watch.last else None,
        "looked": iso(watch.looked),
        "problem": watch.problem,
    }


def used_of(row: Mapping[str, Any]) -> int:
    """How many records with a face the functions have used, by the session's counters."""
    return sum(int(row["counts"].get(name, 0)) for name in USED)


def keep(table: Table, session: Session, before: Watch, after: Watch) -> Watch:
    """Write the watch into the session's row; gives what stands there if somebody else did."""
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
        row = table.get_item(Key=session_key(session.id), ConsistentRead=True)["Item"]
        return watch_of(row)
    return after
