"""Sessions: the row of one, from its opening to its end, and whose camera it holds."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from boto3.dynamodb.conditions import Key
from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere import settings as _settings
from whosthere.dynamodb import KEEP_ROWS_S, Row, Table
from whosthere.settings import Settings

# A processor that is being stopped still delivers what it had read.
LATE_RECORD_GRACE_MS = 60_000
SESSIONS = "sessions"


@dataclass(frozen=True, slots=True)
class Session:
    """One session as its rows tell it; times in milliseconds since the epoch, UTC."""

    id: str
    camera: str
    engine: str
    execution: str
    started_ms: int
    deadline_ms: int
    ended_ms: int | None
    ended_by: str | None
    held: bool
    settings: Settings
    told: bool = False  # the owner, of its end
    error: str = ""  # that it ended by, and why
    cause: str = ""
    reported: bool = False
    collection: int = 1  # of the people, by its number: its stream processor searches it

    def answers_for(self, server_ms: int, grace_ms: int = LATE_RECORD_GRACE_MS) -> bool:
        """Whether it alerts for what AWS received at that moment."""
        was_over = self.ended_ms is not None and self.ended_ms < server_ms - grace_ms
        return self.started_ms <= server_ms and not was_over

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do of its end."""
        return self.ended_ms is not None and not self.held and self.told and self.reported


def session_key(session_id: str) -> dict[str, str]:
    """Key of the session's own row."""
    return {"pk": f"session#{session_id}", "sk": "session"}


def lock_key(camera: str) -> dict[str, str]:
    """Key of the camera's lock row."""
    return {"pk": f"camera#{camera}", "sk": "lock"}


def history_keys(session: Session) -> tuple[dict[str, str], dict[str, str]]:
    """Keys of the rows by which a session is found by its start: of its camera's, and of all."""
    begun = f"session#{session.started_ms:013d}#{session.id}"
    return {"pk": f"camera#{session.camera}", "sk": begun}, {"pk": SESSIONS, "sk": begun}


def was_refused(table: Table, session_id: str) -> bool:
    """Whether the owner was told that no session of that id could be opened."""
    row = dynamodb.read(table, session_key(session_id), any_schema=True) or {}
    return bool(row.get("told"))


def cancel(table: Table, session_id: str, now_ms: int) -> bool:
    """Let no session of that id be opened any more; return False if there is one.

    An aborted execution's `open_session` may still be running.
    """
    try:
        table.update_item(
            Key=session_key(session_id),
            UpdateExpression="SET endedAt = if_not_exists(endedAt, :now), expires = :expires,"
            " schemaVersion = :schema",
            ConditionExpression="attribute_not_exists(camera)",
            ExpressionAttributeValues={
                ":now": now_ms,
                ":expires": now_ms // 1000 + KEEP_ROWS_S,
                ":schema": dynamodb.SCHEMA,
            },
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            return False
        raise
    return True


def latest_session(table: Table, camera: str, *, to_stop: bool = False) -> Session | None:
    """Return the session that holds the camera's lock or, if it is free, the last one."""
    lock = dynamodb.read(table, lock_key(camera), any_schema=to_stop)
    if not lock or "session" not in lock:
        return None
    row = dynamodb.read(table, session_key(lock["session"]), any_schema=to_stop)
    return session_of(lock["session"], row or {}, lock)


def last_begun(
    table: Table, camera: str, server_ms: int, latest: Session | None = None
) -> Session | None:
    """Return the last session of the camera that had begun at that moment, running or not.

    `latest` is the camera's latest one if it has been read.
    """
    begun = Key("sk").between("session#", f"session#{server_ms + 1:013d}")
    found = dynamodb.first(table, Key("pk").eq(f"camera#{camera}") & begun, ascending=False)
    if latest and found and found["session"] == latest.id:
        return latest
    return read_session(table, found["session"]) if found else None


def read_locks(table: Table, cameras: Iterable[str]) -> dict[str, Row]:
    """Return the locks of cameras that had a session, by camera; without a read for each."""
    locks = dynamodb.read_many(table, map(lock_key, cameras))
    return {str(row["pk"]).partition("#")[2]: row for row in locks if "session" in row}


def read_session_rows(table: Table, ids: Iterable[str]) -> dict[str, Row]:
    """Return the rows of sessions that were opened, by id; without a read for each."""
    rows = dynamodb.read_many(table, map(session_key, set(ids)))
    return {str(row["pk"]).partition("#")[2]: row for row in rows if "camera" in row}


def sessions_begun(table: Table, from_ms: int, to_ms: int) -> set[str]:
    """Return the ids of sessions that began in a span without its end, at all cameras."""
    begun = Key("sk").between(f"session#{max(0, from_ms):013d}", f"session#{to_ms:013d}")
    return {str(row["session"]) for row in dynamodb.query(table, Key("pk").eq(SESSIONS) & begun)}


def read_session(table: Table, session_id: str, *, to_stop: bool = False) -> Session | None:
    """Return the session of that id, or None; `held` says whether it still holds its camera.

    `to_stop` reads it also from rows that a newer version wrote.
    """
    row = dynamodb.read(table, session_key(session_id), any_schema=to_stop)
    if not row or "camera" not in row:
        return None
    lock = dynamodb.read(table, lock_key(row["camera"]), any_schema=to_stop)
    return session_of(session_id, row, lock or {})


def session_of(session_id: str, row: Row, lock: Row) -> Session | None:
    """Return the session that its row and its camera's lock tell of; None without a row.

    The settings are the defaults if a newer version wrote the row.
    """
    if "camera" not in row:  # cancelled before it was open
        return None
    ended = row.get("endedAt")
    return Session(
        id=session_id,
        camera=row["camera"],
        engine=row["engine"],
        execution=row["execution"],
        started_ms=int(row["startedAt"]),
        deadline_ms=int(row["deadline"]),
        ended_ms=None if ended is None else int(ended),
        ended_by=row.get("endedBy"),
        held=bool(lock.get("held")) and lock.get("session") == session_id,
        settings=_settings.from_values(row["settings"]),
        told=bool(row.get("told")),
        error=row.get("endedError", ""),
        cause=row.get("endedCause", ""),
        reported=bool(row.get("reported")),
        collection=int(row.get("collection", 1)),
    )


def end_session(
    table: Table, session: Session, ended_by: str, now_ms: int, *, error: str = "", cause: str = ""
) -> Session:
    """Note when, how and why the session ended; what was noted first stays."""
    row = table.update_item(
        Key=session_key(session.id),
        UpdateExpression="SET endedAt = if_not_exists(endedAt, :now),"
        " endedBy = if_not_exists(endedBy, :by),"
        " endedError = if_not_exists(endedError, :error),"
        " endedCause = if_not_exists(endedCause, :cause)",
        ExpressionAttributeValues={
            ":now": now_ms,
            ":by": ended_by,
            ":error": _storable(error),
            ":cause": _storable(cause),
        },
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert row["camera"] == session.camera
    found = read_session(table, session.id, to_stop=True)
    assert found is not None  # the row has just been written
    return found


def _storable(text: str) -> str:
    """Return the text as DynamoDB takes it: JSON can hold half of a character, UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def mark_told(table: Table, session_id: str, *, reported: bool = False) -> None:
    """Note that the owner has the message of the session's end, and whether there is a report.

    A refusal is no error: raised, it would let each further try tell the owner again.
    """
    with suppress(BotoCoreError, ClientError):
        table.update_item(
            Key=session_key(session_id),
            UpdateExpression="SET told = :true, reported = :reported",
            ExpressionAttributeValues={":true": True, ":reported": reported},
        )
