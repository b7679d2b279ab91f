"""What the owner asks of a running session: to stop, or to pause."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from whosthere import dynamodb as rows
from whosthere.dynamodb import Table
from whosthere.session_store import Session, lock_key


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner asked of a running session; without a pause, `paused_until_ms` is 0."""

    stop: bool
    paused_until_ms: int


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
        if rows.condition_failed(error):
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
