"""Conditional writes to the table: every row that several workers write has a `version`.

Of two workers one wins; the other is told by RowChangedError and reads again.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from whosthere.clock import DAY_S

Table = Any  # boto3's DynamoDB table resource
KEEP_ROWS_S = 90 * DAY_S  # as long as Step Functions keeps an execution's history
CONDITION_FAILED = "ConditionalCheckFailedException"
# The second is what a lone write meets when a transaction holds its row
# (DynamoDB developer guide, "Transaction conflict handling").
LOST = (CONDITION_FAILED, "TransactionConflictException")
LOST_IN_TRANSACTION = {"ConditionalCheckFailed", "TransactionConflict"}


class RowChangedError(Exception):
    """Somebody else wrote the row since it was read."""


def read(table: Table, key: dict[str, str]) -> dict[str, Any] | None:
    """The row of that key, as last written, or None."""
    item: dict[str, Any] | None = table.get_item(Key=key, ConsistentRead=True).get("Item")
    return item


def query(table: Table, condition: Any, **more: Any) -> Iterator[dict[str, Any]]:
    """All rows that meet the key condition, as last written, page by page."""
    more |= {"KeyConditionExpression": condition, "ConsistentRead": True}
    while True:
        page = table.query(**more)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        more["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def first(table: Table, condition: Any, *, ascending: bool) -> dict[str, Any] | None:
    """The first row, or the last, that meets the key condition, as last written."""
    found: list[dict[str, Any]] = table.query(
        KeyConditionExpression=condition,
        ConsistentRead=True,
        ScanIndexForward=ascending,
        Limit=1,
    )["Items"]
    return found[0] if found else None


def put(item: dict[str, Any], version: int | None) -> dict[str, Any]:
    """A put that replaces that version; 0 is a row not there yet, None is any."""
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
    """An update that changes nothing but that version, so that others read again."""
    return {
        "Update": {
            "Key": key,
            "UpdateExpression": "ADD version :one",
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":one": 1, ":version": version},
        }
    }


def delete(key: dict[str, str], version: int) -> dict[str, Any]:
    """A removal of that version of a row."""
    return {
        "Delete": {
            "Key": key,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": version},
        }
    }


def write(table: Table, *requests: dict[str, Any]) -> None:
    """All of these writes or none; raises RowChangedError if a condition fails."""
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
    """Whether a write failed because somebody else's came first."""
    code = error.response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return code in LOST
    reasons = {reason.get("Code") for reason in error.response["CancellationReasons"]}
    return bool(reasons & LOST_IN_TRANSACTION)


def condition_failed(error: ClientError) -> bool:
    """Whether a lone write was refused for its condition."""
    return bool(error.response["Error"]["Code"] == CONDITION_FAILED)


def decimals(value: Any) -> Any:
    """The value as DynamoDB takes it: floats become Decimals."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: decimals(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [decimals(part) for part in value]
    return value
