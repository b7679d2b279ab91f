"""Whose photo has a content: a row for each person who has it, or had it until just now."""

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest

KEPT_S = 600  # after the last photo is gone: events of a move come late


def read_owners(table: Table, sha256: str, now_s: float) -> list[str]:
    """Return the ids of the persons who have a photo of that content, or had it just now."""
    return [str(row["sk"]) for row in _rows(table, sha256) if _expires(row) > now_s]


def find_heir(table: Table, person: str, sha256: str) -> str:
    """Return the only other person who has a photo of that content now; empty if there is none."""
    rows = _rows(table, sha256)
    heirs = {str(row["sk"]) for row in rows if "expires" not in row} - {person}
    return heirs.pop() if len(heirs) == 1 else ""


def own(sha256: str, person: str) -> WriteRequest:
    """Return the write that says that a content is a person's."""
    return dynamodb.put(_key(sha256, person), None)


def disown(sha256: str, person: str, now_s: float) -> WriteRequest:
    """Return the write that says that a content is a person's for a while only."""
    return dynamodb.put(_key(sha256, person) | {"expires": int(now_s) + KEPT_S}, None)


def _key(sha256: str, person: str) -> dict[str, str]:
    return {"pk": f"photo#{sha256}", "sk": person}


def _rows(table: Table, sha256: str) -> list[Row]:
    return dynamodb.query(table, Key("pk").eq(f"photo#{sha256}")) if sha256 else []


def _expires(row: Row) -> float:
    return float(row.get("expires", "inf"))
