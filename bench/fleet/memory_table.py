"""A DynamoDB table in memory that counts calls, rows and the capacity that each partition takes.

It evaluates the expressions of the product's own calls, writes conditionally and in transactions,
and answers at once. Capacity is counted as DynamoDB bills it: by 1 KB written, twice in a
transaction, and by 4 KB read consistently (DynamoDB developer guide, "Read/write capacity units").
Neither pages of 1 MB nor the eight other comparisons of DynamoDB are there: nobody here asks.
"""

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from bench.fleet.expressions import Row, condition, update

WRITE_UNIT, READ_UNIT = 1024, 4096
TRANSACTION = 2
COMPARE: dict[str, Callable[..., bool]] = {
    "=": lambda value, wanted: value == wanted,
    "BETWEEN": lambda value, low, high: low <= value <= high,
    "begins_with": lambda value, start: value.startswith(start),
    "<": lambda value, bound: value < bound,
    ">": lambda value, bound: value > bound,
}


class MemoryTable:
    """The table, and its own client: `meta.client` is what transactions are sent by.

    `written` and `read` are capacity units by partition key since they were last taken.
    """

    name = "memory"

    def __init__(self) -> None:
        """Begin without a row."""
        self._partitions: dict[str, dict[str, Row]] = {}
        self._order: dict[str, list[str]] = {}
        self._sizes: dict[tuple[str, str], int] = {}
        self.written: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.meta = self.client = self

    def get_item(self, Key: Row, **_given: Any) -> dict[str, Any]:
        """Return a row."""
        row = self._get(Key)
        self.read[Key["pk"]] += self._read_units([row] if row else [])
        return {"Item": row} if row else {}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        """Return the rows of some keys; a projection changes nothing of what they cost."""
        keys = RequestItems[self.name]["Keys"]
        found = [row for key in keys if (row := self.get_item(key).get("Item"))]
        return {"Responses": {self.name: found}, "UnprocessedKeys": {}}

    def query(self, KeyConditionExpression: Any, Limit: int = 0, **given: Any) -> dict[str, Any]:
        """Return the rows of a partition whose sort key meets the condition."""
        key, tests = _key_condition(KeyConditionExpression)
        order = self._order.get(key, [])
        if not given.get("ScanIndexForward", True):
            order = order[::-1]
        fitting = (sk for sk in order if all(test(sk) for test in tests))
        rows = [self._partitions[key][sk] for sk, _ in zip(fitting, _counter(Limit), strict=False)]
        self.read[key] += self._read_units(rows)
        is_full = bool(Limit) and len(rows) == Limit
        last = {"LastEvaluatedKey": {"pk": key, "sk": rows[-1]["sk"]}} if is_full else {}
        return {"Items": rows, **last}

    def put_item(self, **given: Any) -> dict[str, Any]:
        """Write a row if its condition holds."""
        self._write_alone({"Put": given})
        return {}

    def update_item(self, **given: Any) -> dict[str, Any]:
        """Change a row if its condition holds."""
        self._write_alone({"Update": given})
        return {"Attributes": self._get(given["Key"])}

    def delete_item(self, **given: Any) -> dict[str, Any]:
        """Delete a row if its condition holds."""
        self._write_alone({"Delete": given})
        return {}

    def transact_write_items(self, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Do all writes or none."""
        met = [self._meets(request) for request in TransactItems]
        if not all(met):
            reasons = [{"Code": "None" if one else "ConditionalCheckFailed"} for one in met]
            raise _refused("TransactionCanceledException", CancellationReasons=reasons)
        for request in TransactItems:
            self._write(request, TRANSACTION)
        return {}

    def _write_alone(self, request: Mapping[str, Any]) -> None:
        if not self._meets(request):
            raise _refused("ConditionalCheckFailedException")
        self._write(request, 1)

    def _meets(self, request: Mapping[str, Any]) -> bool:
        ((_, given),) = request.items()
        text = given.get("ConditionExpression")
        row = self._get(_key(given)) or {}
        return text is None or condition(text)(row, *_bound(given))

    def _write(self, request: Mapping[str, Any], times: int) -> None:
        ((kind, given),) = request.items()
        key = _key(given)
        pk, sk = key["pk"], key["sk"]
        before = self._sizes.get((pk, sk), 0)
        if kind == "Delete":
            self._remove(pk, sk)
        else:
            whole = dict(given["Item"]) if kind == "Put" else self._updated(key, given)
            self._store(pk, sk, whole)
        size = max(before, self._sizes.get((pk, sk), 0), 1)
        self.written[pk] += times * math.ceil(size / WRITE_UNIT)

    def _updated(self, key: Row, given: Mapping[str, Any]) -> Row:
        row = self._get(key) or {"pk": key["pk"], "sk": key["sk"]}
        return update(given["UpdateExpression"])(row, *_bound(given))

    def _store(self, pk: str, sk: str, row: Row) -> None:
        rows = self._partitions.setdefault(pk, {})
        if sk not in rows:
            insort(self._order.setdefault(pk, []), sk)
        rows[sk] = row
        self._sizes[pk, sk] = size_of(row) - 3

    def _remove(self, pk: str, sk: str) -> None:
        if self._partitions.get(pk, {}).pop(sk, None) is not None:
            order = self._order[pk]
            del order[bisect_left(order, sk)]
            del self._sizes[pk, sk]

    def _get(self, key: Row) -> Row | None:
        return self._partitions.get(key["pk"], {}).get(key["sk"])

    def _read_units(self, rows: Sequence[Row]) -> int:
        size = sum(self._sizes[row["pk"], row["sk"]] for row in rows)
        return max(1, math.ceil(size / READ_UNIT))


def size_of(value: Any) -> int:
    """Return a value's size in bytes, as DynamoDB counts it ("Item sizes and formats")."""
    kind: Any = type(value)
    if kind is str:
        return len(value) if value.isascii() else len(value.encode())
    if kind is int:
        return int(value).bit_length() // 7 + 2  # two digits in a byte
    if kind is dict:
        return 3 + sum([1 + len(name) + size_of(part) for name, part in value.items()])
    if kind in (list, set, tuple):
        return 3 + sum([1 + size_of(part) for part in value])
    if kind is Decimal:
        return len(str(value)) // 2 + 2
    return 1  # true, false or nothing


def _key(given: Mapping[str, Any]) -> Row:
    found: Row = given.get("Key") or given["Item"]
    return found


def _bound(given: Mapping[str, Any]) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    names = given.get("ExpressionAttributeNames", {})
    return names, given.get("ExpressionAttributeValues", {})


def _key_condition(expression: Any) -> tuple[str, list[Callable[[str], bool]]]:
    """Return the partition key and the tests of the sort key of boto3's key condition."""
    found = expression.get_expression()
    parts = found["values"] if found["operator"] == "AND" else (expression,)
    leaves = [part.get_expression() for part in parts]
    keys = {leaf["values"][0].name: leaf for leaf in leaves}
    tests = [_test(leaf) for name, leaf in keys.items() if name == "sk"]
    return keys["pk"]["values"][1], tests


def _test(leaf: Mapping[str, Any]) -> Callable[[str], bool]:
    compare, wanted = COMPARE[leaf["operator"]], leaf["values"][1:]
    return lambda value: compare(value, *wanted)


def _counter(limit: int) -> Iterator[int]:
    number = 0
    while not limit or number < limit:
        yield number
        number += 1


def _refused(code: str, **more: Any) -> ClientError:
    error: Any = {"Error": {"Code": code, "Message": ""}, **more}
    return ClientError(error, "Write")
