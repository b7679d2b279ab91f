"""Reads and conditional writes of rows: optimistic locks by a `version` in each shared row.

Of two workers one wins; the other gets RowChangedError and reads again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from whosthere.clock import DAY_S

Table = Any  # boto3's DynamoDB table resource
KEEP_ROWS_S = 90 * DAY_S  # as long as Step Functions keeps an execution's history
CONDITION_FAILED = "ConditionalCheckFailedException"
# The second is the answer to a single write whose row a transaction holds
# (DynamoDB developer guide, "Transaction conflict handling").
LOST = (CONDITION_FAILED, "TransactionConflictException")
LOST_IN_TRANSACTION = {"ConditionalCheckFailed", "TransactionConflict"}


class RowChangedError(Exception):
    """Another worker wrote the row since it was read."""


def read(table: Table, key: dict[str, str]) -> dict[str, Any] | None:
    """Return the row of that key, as last written, or None."""
    item: dict[str, Any] | None = table.get_item(Key=key, ConsistentRead=True).get("Item")
    return item


def query(table: Table, condition: Any, **more: Any) -> list[dict[str, Any]]:
    """Return all rows that meet the key condition, as last written."""
    more |= {"KeyConditionExpression": condition, "ConsistentRead": True}
    rows: list[dict[str, Any]] = []
    while True:
        page = table.query(**more)
        rows += page["Items"]
        if "LastEvaluatedKey" not in page:
            return rows
        more["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def first(table: Table, condition: Any, *, ascending: bool) -> dict[str, Any] | None:
    """Return the first row, or the last, that meets the key condition, as last written."""
    found: list[dict[str, Any]] = table.query(
        KeyConditionExpression=condition,
        ConsistentRead=True,
        ScanIndexForward=ascending,
        Limit=1,
    )["Items"]
    return found[0] if found else None


def put(item: dict[str, Any], version: int | None) -> dict[str, Any]:
    """Return a put that replaces that version; 0 is a row not there yet, None is any."""
    if version is None:
        return {"Put": {"Item": item | {"version": 1}}}
    request: dict[str, Any] = {"Item": item | {"version": version + 1}}
    if version == 0:
        request["ConditionExpression"] = "attribute_not_exists(pk)"
    else:
        request["ConditionExpression"] = "version = :version"
        request["ExpressionAttributeValues"] = {":version": version}
    return {"Put": request}


def touch(key: dict[str, str], version: int) -> dict[str, Any]:
    """Return an update that changes only the version, so that other workers read again."""
    return {
        "Update": {
            "Key": key,
            "UpdateExpression": "ADD version :one",
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":one": 1, ":version": version},
        }
    }


def delete(key: dict[str, str], version: int) -> dict[str, Any]:
    """Return a removal of that version of a row."""
    return {
        "Delete": {
            "Key": key,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": version},
        }
    }


def write(table: Table, *requests: dict[str, Any]) -> None:
    """Do all of these writes or none; raise RowChangedError if a condition fails."""
    try:
        if len(requests) == 1 and "Put" in requests[0]:
            table.put_item(**requests[0]["Put"])  # a transaction costs twice as much
            return
        for request in requests:
            for body in request.values():
                body["TableName"] = table.name
        table.meta.client.transact_write_items(TransactItems=list(requests))
    except ClientError as error:
        if is_lost(error):
            raise RowChangedError from error
        raise


def is_lost(error: ClientError) -> bool:
    """Return whether a write failed because another worker's came first."""
    code = error.response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return code in LOST
    reasons = {reason.get("Code") for reason in error.response["CancellationReasons"]}
    return bool(reasons & LOST_IN_TRANSACTION)


def condition_failed(error: ClientError) -> bool:
    """Return whether a single write was refused for its condition."""
    return bool(error.response["Error"]["Code"] == CONDITION_FAILED)


def decimals(value: Any) -> Any:
    """Return the value as DynamoDB takes it: floats become Decimals."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: decimals(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [decimals(part) for part in value]
    return value
