"""The camera's lock: one session holds it at a time.

Every write to it is conditional on the session's id, so a late event of one session can
never touch the next one's.
"""

from collections.abc import Mapping

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.clock import iso
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Json, Row, Table, UpdateRequest
from whosthere.errors import CameraBusyError, LockLostError, TryAgainError
from whosthere.session_store import Session, history_keys, lock_key, session_key

CONDITION_FAILED = "ConditionalCheckFailed"


def open_session(table: Table, session: Session, values: Mapping[str, Json]) -> int:
    """Lock the camera and write the session's rows, all or nothing; twice changes nothing.

    Returns how many requests were made at the camera before: a session that sleeps by this
    count wakes at once if one came while it was opened.
    Raises CameraBusyError if another session holds the camera or it is shut, LockLostError
    if this one was given up meanwhile.
    """
    # Whatever wrote a lock that is free: it is written anew.
    lock = dynamodb.read(table, lock_key(session.camera), any_schema=True) or {}
    by_camera, by_start = _found_by(session)
    try:
        table.meta.client.transact_write_items(
            TransactItems=[
                {"Update": {**_locking(session), "TableName": table.name}},
                {
                    "Put": {
                        "TableName": table.name,
                        "Item": _row(session, values),
                        "ConditionExpression": "attribute_not_exists(endedAt)",
                    }
                },
                {"Put": {"TableName": table.name, "Item": by_camera}},
                {"Put": {"TableName": table.name, "Item": by_start}},
            ]
        )
    except ClientError as error:
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
        if reasons[:1] == [CONDITION_FAILED]:
            raise CameraBusyError(_who_holds(table, session.camera)) from error
        if reasons[1:2] == [CONDITION_FAILED]:
            raise LockLostError("the session was given up before it was open") from error
        if "TransactionConflict" in reasons:
            raise TryAgainError("somebody else writes the lock right now") from error
        raise
    return int(lock.get("requests", 0))


def _locking(session: Session) -> UpdateRequest:
    return {
        "Key": lock_key(session.camera),
        # The count is never reset: a late copy of this write would hide a request.
        "UpdateExpression": "SET #session = :session, held = :true, heldBy = :session,"
        " #execution = :execution,"
        " deadline = :deadline, requests = if_not_exists(requests, :zero),"
        " schemaVersion = :schema"
        " REMOVE #token, stopRequested, pausedUntil",
        "ConditionExpression": "attribute_not_exists(shut)"
        " AND (attribute_not_exists(held) OR held = :false OR #session = :session)",
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
            ":zero": 0,
            ":schema": dynamodb.SCHEMA,
        },
    }


def _found_by(session: Session) -> list[Attributes]:
    """Return the rows that find a session by its start."""
    expires = session.deadline_ms // 1000 + KEEP_ROWS_S
    found: Attributes = dynamodb.STAMP | {"session": session.id, "expires": expires}
    return [{**key, **found} for key in history_keys(session)]


def _row(session: Session, values: Mapping[str, Json]) -> Attributes:
    return session_key(session.id) | {
        **dynamodb.STAMP,
        "camera": session.camera,
        "engine": session.engine,
        "execution": session.execution,
        "startedAt": session.started_ms,
        "deadline": session.deadline_ms,
        "settings": dynamodb.decimals(values),
        "collection": session.collection,
        "counts": {},
        "expires": session.deadline_ms // 1000 + KEEP_ROWS_S,
    }


def _who_holds(table: Table, camera: str) -> str:
    lock = dynamodb.read(table, lock_key(camera), any_schema=True) or {}
    if lock.get("shut"):
        return f"{camera} takes no session any more: its stack is being deleted"
    until = iso(int(lock["deadline"])) if "deadline" in lock else "its deadline"
    return f"{camera} is held by session {lock.get('session', '?')} until {until}"


def close_camera(table: Table, camera: str) -> None:
    """Refuse further sessions at the camera; the one that holds it goes on."""
    table.update_item(
        Key=lock_key(camera),
        UpdateExpression="SET shut = :true, schemaVersion = :schema",
        ExpressionAttributeValues={":true": True, ":schema": dynamodb.SCHEMA},
    )


def unlock(table: Table, session: Session) -> bool:
    """Free the camera if this session holds it; return whether it did.

    A free lock has nothing that differs between schemas, so this version reads it from now on.
    """
    free = (
        "SET held = :false, schemaVersion = :schema"
        " REMOVE heldBy, #token, stopRequested, pausedUntil"
    )
    values = {":true": True, ":false": False, ":schema": dynamodb.SCHEMA}
    return _write(table, session, free, "held = :true", values, {"#token": "token"})


def reacquire(table: Table, session: Session) -> bool:
    """Lock the camera for an ended session that left something; return whether it was free."""
    values = {":true": True, ":false": False}
    return _write(table, session, "SET held = :true, heldBy = :session", "held = :false", values)


def is_whole(lock: Row) -> bool:
    """Return whether a held lock's row has what the state machine reads of it.

    That is the count of requests, and `heldBy`: a text, because an SDK integration of Step
    Functions calls the type of `held` by another name than DynamoDB (aws/aws-sdk-js#4294).
    """
    return "requests" in lock and "heldBy" in lock


def make_whole(table: Table, session: Session) -> bool:
    """Add to a lock's row what an earlier version did not write; return whether it is ours.

    Without it the session could never sleep.
    """
    update = "SET requests = if_not_exists(requests, :zero), heldBy = :session"
    return _write(table, session, update, "held = :true", {":true": True, ":zero": 0})


def _write(
    table: Table,
    session: Session,
    update: str,
    condition: str,
    values: Attributes,
    names: Mapping[str, str] | None = None,
) -> bool:
    try:
        table.update_item(
            Key=lock_key(session.camera),
            UpdateExpression=update,
            ConditionExpression=f"#session = :session AND {condition}",
            ExpressionAttributeNames={"#session": "session"} | dict(names or {}),
            ExpressionAttributeValues={":session": session.id} | dict(values),
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            return False
        raise
    return True
