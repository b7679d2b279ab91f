"""Sessions: the camera's lock, the session's row, and how one is opened, stopped and ended.

Every write to the lock is conditional on the session's id, so a late event of one
session can never touch the next one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from whosthere import settings as _settings
from whosthere.errors import CameraBusyError, LockLostError, TryAgainError
from whosthere.settings import Settings

Table = Any  # boto3's DynamoDB table resource
DAY_S = 86_400
CONDITION_FAILED = "ConditionalCheckFailed"
KEEP_ROWS_S = 90 * DAY_S  # as long as Step Functions keeps an execution's history


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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner asked of a running session; without a pause, `paused_until_ms` is 0."""

    stop: bool
    paused_until_ms: int


def lock_key(camera: str) -> dict[str, str]:
    """Key of the camera's lock row."""
    return {"pk": f"camera#{camera}", "sk": "lock"}


def session_key(session_id: str) -> dict[str, str]:
    """Key of the session's own row."""
    return {"pk": f"session#{session_id}", "sk": "session"}


def open_session(table: Table, session: Session, values: Mapping[str, Any]) -> None:
    """Lock the camera and write the session's row, both or neither; twice changes nothing.

    Raises CameraBusyError if another session holds the camera, LockLostError if this one
    was given up meanwhile.
    """
    lock = {
        "TableName": table.name,
        "Key": lock_key(session.camera),
        "UpdateExpression": "SET #session = :session, held = :true, #execution = :execution,"
        " deadline = :deadline REMOVE #token, stopRequested, pausedUntil",
        "ConditionExpression": "attribute_not_exists(held) OR held = :false OR #session = :session",
        "ExpressionAttributeNames": {
            "#session": "session",
            "#token": "token",
            "#execution": "execution",
        },
        "ExpressionAttributeValues": {
            ":session": session.id,
            ":execution": session.execution,
            ":deadline": session.deadline_ms,
            ":true": True,
            ":false": False,
        },
    }
    row = {
        "TableName": table.name,
        "Item": _row(session, values),
        "ConditionExpression": "attribute_not_exists(endedAt)",
    }
    try:
        table.meta.client.transact_write_items(TransactItems=[{"Update": lock}, {"Put": row}])
    except ClientError as error:
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
        if reasons[:1] == [CONDITION_FAILED]:
            raise CameraBusyError(_who_holds(table, session.camera)) from error
        if reasons[1:] == [CONDITION_FAILED]:
            raise LockLostError("the session was given up before it was open") from error
        if "TransactionConflict" in reasons:
            raise TryAgainError("somebody else writes the lock right now") from error
        raise


def _row(session: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    return session_key(session.id) | {
        "camera": session.camera,
        "engine": session.engine,
        "execution": session.execution,
        "startedAt": session.started_ms,
        "deadline": session.deadline_ms,
        "settings": _decimals(values),
        "counts": {},
        "expires": session.deadline_ms // 1000 + KEEP_ROWS_S,
    }


def was_refused(table: Table, session_id: str) -> bool:
    """Whether the owner was told that no session of that id could be opened."""
    row = table.get_item(Key=session_key(session_id), ConsistentRead=True).get("Item", {})
    return bool(row.get("told"))


def give_up(table: Table, session_id: str, now_ms: int, *, told: bool = False) -> bool:
    """Let no session of that id be opened any more; False if there is one.

    An aborted execution's `open_session` may still be running. `told` is whether the owner
    knows.
    """
    try:
        table.put_item(
            Item=session_key(session_id)
            | {"endedAt": now_ms, "told": told, "expires": now_ms // 1000 + KEEP_ROWS_S},
            ConditionExpression="attribute_not_exists(camera)",
        )
    except ClientError as error:
        if _condition_failed(error):
            return False
        raise
    return True


def _who_holds(table: Table, camera: str) -> str:
    lock = table.get_item(Key=lock_key(camera), ConsistentRead=True).get("Item", {})
    until = iso(int(lock["deadline"])) if "deadline" in lock else "its deadline"
    return f"{camera} is held by session {lock.get('session', '?')} until {until}"


def latest_session(table: Table, camera: str) -> Session | None:
    """The session that holds the camera's lock or, if it is free, the last one that did."""
    lock = table.get_item(Key=lock_key(camera), ConsistentRead=True).get("Item")
    if not lock or "session" not in lock:
        return None
    return read_session(table, lock["session"], lock)


def read_session(
    table: Table, session_id: str, lock: Mapping[str, Any] | None = None
) -> Session | None:
    """The session of that id, or None; `held` says whether it still holds its camera."""
    row = table.get_item(Key=session_key(session_id), ConsistentRead=True).get("Item")
    if not row or "camera" not in row:  # given up before it was open
        return None
    if lock is None:
        key = lock_key(row["camera"])
        lock = table.get_item(Key=key, ConsistentRead=True).get("Item", {})
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
    )


def wishes(table: Table, session: Session) -> Wishes:
    """What the owner asked of this session."""
    lock = table.get_item(Key=lock_key(session.camera), ConsistentRead=True).get("Item", {})
    if lock.get("session") != session.id:
        return Wishes(stop=False, paused_until_ms=0)
    return Wishes(bool(lock.get("stopRequested")), int(lock.get("pausedUntil", 0)))


def request_stop(table: Table, stepfunctions: Any, camera: str) -> str | None:
    """Ask the session that holds the camera to stop; its id, or None if none does.

    The flag is what counts: every loop of the state machine reads it. Waking the task
    token only makes it quick, so a token that is stale by now is no error.
    """
    return _request(table, stepfunctions, camera, "stopRequested", True)


def request_pause(table: Table, stepfunctions: Any, camera: str, until_ms: int) -> str | None:
    """Ask the session that holds the camera to search nothing until then, as `request_stop` does.

    A moment that has passed ends a pause; the session's own deadline stays.
    """
    return _request(table, stepfunctions, camera, "pausedUntil", until_ms)


def _request(
    table: Table, stepfunctions: Any, camera: str, wish: str, value: bool | int
) -> str | None:
    try:
        lock = table.update_item(
            Key=lock_key(camera),
            UpdateExpression="SET #wish = :value",
            ConditionExpression="held = :true",
            ExpressionAttributeNames={"#wish": wish},
            ExpressionAttributeValues={":true": True, ":value": value},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        if _condition_failed(error):
            return None
        raise
    if "token" in lock:
        _wake(stepfunctions, lock["token"])
    return str(lock["session"])


def _wake(stepfunctions: Any, token: str) -> None:
    try:
        stepfunctions.send_task_success(taskToken=token, output="{}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("TaskTimedOut", "TaskDoesNotExist"):
            raise


def end_session(table: Table, session: Session, ended_by: str, now_ms: int) -> Session:
    """Note when and how the session ended; what was noted first stays."""
    row = table.update_item(
        Key=session_key(session.id),
        UpdateExpression="SET endedAt = if_not_exists(endedAt, :now),"
        " endedBy = if_not_exists(endedBy, :by)",
        ExpressionAttributeValues={":now": now_ms, ":by": ended_by},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert row["camera"] == session.camera
    found = read_session(table, session.id)
    assert found is not None  # the row has just been written
    return found


def mark_told(table: Table, session_id: str) -> None:
    """Note that the owner has the message of the session's end."""
    table.update_item(
        Key=session_key(session_id),
        UpdateExpression="SET told = :true",
        ExpressionAttributeValues={":true": True},
    )


def unlock(table: Table, session: Session) -> bool:
    """Free the camera if this session holds it; whether it did."""
    try:
        table.update_item(
            Key=lock_key(session.camera),
            UpdateExpression="SET held = :false REMOVE #token, stopRequested, pausedUntil",
            ConditionExpression="#session = :session AND held = :true",
            ExpressionAttributeNames={"#session": "session", "#token": "token"},
            ExpressionAttributeValues={
                ":session": session.id,
                ":true": True,
                ":false": False,
            },
        )
    except ClientError as error:
        if _condition_failed(error):
            return False
        raise
    return True


def relock(table: Table, session: Session) -> bool:
    """Lock the camera for a session that has ended and left something; whether it was free."""
    try:
        table.update_item(
            Key=lock_key(session.camera),
            UpdateExpression="SET held = :true",
            ConditionExpression="#session = :session AND held = :false",
            ExpressionAttributeNames={"#session": "session"},
            ExpressionAttributeValues={
                ":session": session.id,
                ":true": True,
                ":false": False,
            },
        )
    except ClientError as error:
        if _condition_failed(error):
            return False
        raise
    return True


def add_counts(table: Table, session_id: str, counts: Mapping[str, int], last_ms: int = 0) -> None:
    """Add to the session's counters, at least once per record: a retry may count again.

    `last_ms` is the time of the last record, where there was one.
    """
    wanted = {name: number for name, number in counts.items() if number}
    if not wanted:
        return
    table.update_item(
        Key=session_key(session_id),
        # ADD works on top-level attributes only (DynamoDB, update expressions)
        UpdateExpression="SET "
        + ", ".join(
            f"counts.#{place} = if_not_exists(counts.#{place}, :zero) + :{place}"
            for place in range(len(wanted))
        )
        + (", lastRecord = :last" if last_ms else ""),
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={f"#{place}": name for place, name in enumerate(wanted)},
        ExpressionAttributeValues={":zero": 0}
        | {f":{place}": number for place, number in enumerate(wanted.values())}
        | ({":last": last_ms} if last_ms else {}),
    )


def iso(milliseconds: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _condition_failed(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == f"{CONDITION_FAILED}Exception")


def _decimals(value: Any) -> Any:
    """The value as DynamoDB takes it: floats become Decimals."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: _decimals(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_decimals(part) for part in value]
    return value
