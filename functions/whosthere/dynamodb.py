"""Reads and conditional writes of rows: optimistic locks by a `version` in each shared row.

Of two workers one wins; the other gets RowChangedError and reads again. `schemaVersion` says
which attributes a row has: older rows are upgraded as they are read, newer ones refused.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from botocore.exceptions import ClientError

from whosthere.clock import DAY_S, wait
from whosthere.errors import NewerRowError, TryAgainError

if TYPE_CHECKING:  # stubs are not in the Lambda runtime
    from boto3.dynamodb.conditions import ConditionBase
    from mypy_boto3_dynamodb import service_resource
    from mypy_boto3_dynamodb.type_defs import (
        QueryInputTableQueryTypeDef,
        TableAttributeValueTypeDef,
        TransactWriteItemTypeDef,
    )

# Python evaluates an alias only where somebody asks for its value: here the type checker alone.
type Table = service_resource.Table
type Attributes = Mapping[str, TableAttributeValueTypeDef]  # a row, or a part of one, to be written
# A row that was read: DynamoDB has no schema, so each value is anything until the room converts it.
type Row = Mapping[str, Any]
type Json = str | float | Decimal | bool | Sequence[Json] | Mapping[str, Json] | None
KEEP_ROWS_S = 90 * DAY_S  # as long as Step Functions keeps an execution's history
MOST_READ = 100  # BatchGetItem: keys in one call
CONDITION_FAILED = "ConditionalCheckFailedException"
# The second is the answer to a single write whose row a transaction holds
# (DynamoDB developer guide, "Transaction conflict handling").
LOST = (CONDITION_FAILED, "TransactionConflictException")
LOST_IN_TRANSACTION = {"ConditionalCheckFailed", "TransactionConflict"}
BATCH_SIZE = 100  # DynamoDB, BatchGetItem: keys in a request
# Before each try: what is left is throttled, or beyond the answer's 16 MB (BatchGetItem).
PAUSES_MS = (0, 50, 100, 200, 400, 800)
# Of the rows that this version writes; one without it is of the first schema. An update that
# may create a row writes it too. Stopping must be possible in each schema, so these keep their
# names and meaning: of a lock `held` and `session`; of a session all but what may change.
SCHEMA = 2
STAMP = {"schemaVersion": SCHEMA}
MAY_CHANGE = {"settings", "counts", "check", "health"}


class RowChangedError(TryAgainError):
    """Another worker wrote the row since it was read."""


class _Request(TypedDict, total=False):
    ConditionExpression: str
    ExpressionAttributeNames: Mapping[str, str]
    ExpressionAttributeValues: Attributes
    ReturnValuesOnConditionCheckFailure: Literal["ALL_OLD", "NONE"]


class PutRequest(_Request):
    """A row to be written whole."""

    Item: Attributes


class UpdateRequest(_Request):
    """A change of a row's attributes."""

    Key: Mapping[str, str]
    UpdateExpression: str


class DeleteRequest(_Request):
    """A removal of a row."""

    Key: Mapping[str, str]


class WriteRequest(TypedDict, total=False):
    """One write, as TransactWriteItems takes it but for the table's name."""

    Put: PutRequest
    Update: UpdateRequest
    Delete: DeleteRequest


def upgraded(row: Row) -> Row:
    """Return a row in today's schema; raise NewerRowError for a later one."""
    if _is_newer(row):
        kind = row["sk"].partition("#")[0]  # the rest may name a photo
        raise NewerRowError(
            f"the row {kind!r} of {row['pk']} has schema {row['schemaVersion']}, and this version"
            f" of Whosthere reads up to {SCHEMA}: deploy the newer version again"
        )
    if row.get("schemaVersion", 1) == 1 and row["sk"] == "session":
        # It was not noted yet that there is a report: whoever was told had one.
        return {"reported": bool(row.get("told")), **row}
    return row


def _is_newer(row: Row) -> bool:
    """Return whether a newer version wrote the row."""
    return bool(row.get("schemaVersion", 1) > SCHEMA)


def read(table: Table, key: Mapping[str, str], *, any_schema: bool = False) -> Row | None:
    """Return the row of that key, as last written, or None.

    `any_schema` takes also one that a newer version wrote; of that, what may change is empty.
    """
    row: Row | None = table.get_item(Key=key, ConsistentRead=True).get("Item")
    if row is None or row.get("schemaVersion") == SCHEMA:
        return row
    if any_schema and _is_newer(row):
        return {**row, **dict.fromkeys(MAY_CHANGE, {})}
    return upgraded(row)


def query(table: Table, condition: "ConditionBase") -> list[Row]:
    """Return all rows that meet the key condition, as last written."""
    wanted: QueryInputTableQueryTypeDef = {
        "KeyConditionExpression": condition,
        "ConsistentRead": True,
    }
    rows: list[Row] = []
    while True:
        page = table.query(**wanted)
        for row in page["Items"]:
            rows.append(row if row.get("schemaVersion") == SCHEMA else upgraded(row))
        if "LastEvaluatedKey" not in page:
            return rows
        wanted["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def scan(table: Table) -> Iterator[Row]:
    """Yield every row of the table, as last written: it costs as much as the table is large."""
    start: dict[str, Any] = {}
    while True:
        page = table.scan(ConsistentRead=True, **start)
        yield from map(upgraded, page["Items"])
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def page(
    table: Table, condition: "ConditionBase", *, ascending: bool, limit: int
) -> tuple[list[Row], bool]:
    """Return the first rows, or the last, that meet the key condition, and if there may be more."""
    found = table.query(
        KeyConditionExpression=condition,
        ConsistentRead=True,
        ScanIndexForward=ascending,
        Limit=limit,
    )
    return [upgraded(row) for row in found["Items"]], "LastEvaluatedKey" in found


def first(table: Table, condition: "ConditionBase", *, ascending: bool) -> Row | None:
    """Return the first row, or the last, that meets the key condition, as last written."""
    rows, _ = page(table, condition, ascending=ascending, limit=1)
    return rows[0] if rows else None


def read_many(
    table: Table, keys: Iterable[Mapping[str, str]], attributes: Sequence[str] = ()
) -> list[Row]:
    """Return the rows of those keys that are there, as last written, in no order.

    With `attributes` they have only these, and their keys: what is left out takes no time.
    """
    wanted: dict[str, Any] = {"ConsistentRead": True}
    if attributes:
        names = {f"#{name}": name for name in ("pk", "sk", "schemaVersion", *attributes)}
        wanted |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
    rows: list[Row] = []
    for chunk in batched(keys, BATCH_SIZE, strict=False):
        left: Sequence[Mapping[str, Any]] = list(chunk)  # boto3 converts no tuple
        for pause_ms in PAUSES_MS:
            wait(pause_ms)
            request: Any = {table.name: {"Keys": left, **wanted}}
            answer = table.meta.client.batch_get_item(RequestItems=request)
            rows += [upgraded(row) for row in answer["Responses"].get(table.name, ())]
            if table.name not in answer["UnprocessedKeys"]:
                break
            left = answer["UnprocessedKeys"][table.name]["Keys"]
        else:
            raise TryAgainError("DynamoDB is too busy to return all rows")
    return rows


def put(item: Attributes, version: int | None) -> WriteRequest:
    """Return a put that replaces that version; 0 is a row not there yet, None is any."""
    if version is None:
        return {"Put": {"Item": {**item, **STAMP, "version": 1}}}
    request: PutRequest = {"Item": {**item, **STAMP, "version": version + 1}}
    if version == 0:
        request["ConditionExpression"] = "attribute_not_exists(pk)"
    else:
        request["ConditionExpression"] = "version = :version"
        request["ExpressionAttributeValues"] = {":version": version}
    return {"Put": request}


def touch(key: Mapping[str, str], version: int) -> WriteRequest:
    """Return an update that changes only the version, so that other workers read again."""
    return {
        "Update": {
            "Key": key,
            "UpdateExpression": "ADD version :one",
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":one": 1, ":version": version},
        }
    }


def delete(key: Mapping[str, str], version: int | None) -> WriteRequest:
    """Return a removal of that version of a row; None is any."""
    if version is None:
        return {"Delete": {"Key": key}}
    return {
        "Delete": {
            "Key": key,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": {":version": version},
        }
    }


def write(table: Table, *requests: WriteRequest) -> None:
    """Do all of these writes or none; raise RowChangedError if a condition fails."""
    try:
        if len(requests) == 1 and "Put" in requests[0]:
            table.put_item(**requests[0]["Put"])  # a transaction costs twice as much
            return
        table.meta.client.transact_write_items(
            TransactItems=[_in_table(request, table.name) for request in requests]
        )
    except ClientError as error:
        if is_lost(error):
            raise RowChangedError from error
        raise


def _in_table(request: WriteRequest, name: str) -> "TransactWriteItemTypeDef":
    if "Put" in request:
        return {"Put": {**request["Put"], "TableName": name}}
    if "Update" in request:
        return {"Update": {**request["Update"], "TableName": name}}
    return {"Delete": {**request["Delete"], "TableName": name}}


def is_lost(error: ClientError) -> bool:
    """Return whether a write failed because another worker's came first."""
    code = error.response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return code in LOST
    reasons = {reason.get("Code") for reason in error.response["CancellationReasons"]}
    return bool(reasons & LOST_IN_TRANSACTION)


def condition_failed(error: ClientError) -> bool:
    """Return whether a single write was refused for its condition."""
    return error.response["Error"]["Code"] == CONDITION_FAILED


def decimals(value: Json) -> "TableAttributeValueTypeDef":
    """Return the value as DynamoDB takes it: floats become Decimals."""
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: decimals(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [decimals(part) for part in value]
    return value
