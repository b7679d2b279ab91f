"""Whose photo has a content: a row for each person who has it, or had it until just now."""

from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table, WriteRequest

KEPT_S = 600  # after the last photo is gone: events of a move come late


@dataclass(frozen=True, slots=True)
class Owners:
    """The ids of the persons who have a content, or had it just now.

    Of a photo that is refused they say little: many folders hold the same file of a file manager.
    """

    enrolled: tuple[str, ...]
    refused: tuple[str, ...]


def read_owners(table: Table, sha256: str, now_s: float) -> Owners:
    """Return whose a content is."""
    rows = [row for row in _rows(table, sha256) if float(row.get("expires", "inf")) > now_s]
    return Owners(
        tuple(str(row["sk"]) for row in rows if not row["refused"]),
        tuple(str(row["sk"]) for row in rows if row["refused"]),
    )


def find_heir(table: Table, person: str, sha256: str) -> str:
    """Return the only other person whom this photo enrolls now; empty if there is none."""
    rows = [row for row in _rows(table, sha256) if not row["refused"] and "expires" not in row]
    heirs = {str(row["sk"]) for row in rows} - {person}
    return heirs.pop() if len(heirs) == 1 else ""


def own(sha256: str, person: str, *, is_refused: bool) -> WriteRequest:
    """Return the write that says that a content is a person's."""
    return dynamodb.put(_key(sha256, person) | {"refused": is_refused}, None)


def disown(sha256: str, person: str, now_s: float, *, is_refused: bool) -> WriteRequest:
    """Return the write that says that a content is a person's for a while only."""
    gone = {"refused": is_refused, "expires": int(now_s) + KEPT_S}
    return dynamodb.put(_key(sha256, person) | gone, None)


def _key(sha256: str, person: str) -> dict[str, Any]:
    return {"pk": f"photo#{sha256}", "sk": person}


def _rows(table: Table, sha256: str) -> list[Row]:
    return dynamodb.query(table, Key("pk").eq(f"photo#{sha256}")) if sha256 else []
