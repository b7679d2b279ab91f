"""Requests of the owner to a running session: to stop, to pause, to spend more."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.clock import now_ms
from whosthere.dynamodb import Row, Table
from whosthere.session_store import latest_session, lock_key, session_key

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, slots=True)
class SessionRequests:
    """What the owner asked of a session; without a pause, `paused_until_ms` is 0.

    `count` is the number of requests ever made at this camera, None if its row has none.
    """

    stop: bool = False
    paused_until_ms: int = 0
    count: int | None = None


def requests_of(lock: Row, session_id: str) -> SessionRequests:
    """Return the requests to that session that the lock's row holds."""
    if lock.get("session") != session_id:
        return SessionRequests()
    count = int(lock["requests"]) if "requests" in lock else None
    return SessionRequests(bool(lock.get("stopRequested")), int(lock.get("pausedUntil", 0)), count)


def read_requests(table: Table, camera: str, session_id: str) -> SessionRequests:
    """Return the requests to that session."""
    return requests_of(dynamodb.read(table, lock_key(camera)) or {}, session_id)


def request_stop(table: Table, stepfunctions: "SFNClient", camera: str) -> str | None:
    """Ask the session that holds the camera to stop; return its id, or None if none does.

    The row is what counts: every check of the session reads it. Waking the task token only
    makes it quick, so a token that is stale by now is no error.
    """
    return _request(table, stepfunctions, camera, "stopRequested", True)


def request_pause(
    table: Table, stepfunctions: "SFNClient", camera: str, until_ms: int
) -> str | None:
    """Ask the session that holds the camera to search nothing until then, as `request_stop` does.

    A moment that has passed ends a pause; the session's own deadline stays.
    """
    return _request(table, stepfunctions, camera, "pausedUntil", until_ms)


def request_limits(
    table: Table, stepfunctions: "SFNClient", camera: str, limits: Mapping[str, float]
) -> str | None:
    """Give the session that holds the camera other limits on its cost, and end its pause.

    `limits` are by the names of their settings. What searches reads them in the session's row.
    """
    session = latest_session(table, camera)
    if session is None or not session.held:
        return None
    names = {f"#{number}": name for number, name in enumerate(limits)}
    values = {f":{number}": Decimal(str(dollars)) for number, dollars in enumerate(limits.values())}
    places = ", ".join(f"settings.#{number} = :{number}" for number in range(len(limits)))
    table.update_item(
        Key=session_key(session.id),
        UpdateExpression=f"SET {places}",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
    )
    return request_pause(table, stepfunctions, camera, now_ms())


def _request(
    table: Table, stepfunctions: "SFNClient", camera: str, attribute: str, value: bool | int
) -> str | None:
    """Write the request and count it: a session that has not seen this count does not sleep."""
    try:
        lock: Row = table.update_item(
            Key=lock_key(camera),
            UpdateExpression="SET #attribute = :value ADD requests :one",
            ConditionExpression="held = :true",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":true": True, ":value": value, ":one": 1},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        if dynamodb.condition_failed(error):
            return None
        raise
    if "token" in lock:
        _wake(stepfunctions, lock["token"])
    return str(lock["session"])


def _wake(stepfunctions: "SFNClient", token: str) -> None:
    try:
        stepfunctions.send_task_success(taskToken=token, output="{}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("TaskTimedOut", "TaskDoesNotExist"):
            raise
