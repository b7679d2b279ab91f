"""Mutes: whose alerts the owner does not want for a while. Their visits are kept all the same.

A mute is for one person, one stranger, all strangers or everybody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb as rows
from whosthere.clock import DAY_S, now_ms
from whosthere.dynamodb import Table

STRANGERS, EVERYBODY = "stranger", "*"
_PARTITION = "mute"


@dataclass(frozen=True, slots=True)
class Mute:
    """Whose alerts are muted, and from when until when, in milliseconds."""

    who: str
    since_ms: int
    until_ms: int

    def holds(self, *moments_ms: int) -> bool:
        """Whether one of the moments lies in it."""
        return any(self.since_ms <= moment < self.until_ms for moment in moments_ms)


def mute(table: Table, who: str, until_ms: int, since_ms: int | None = None) -> None:
    """Mute a person's or stranger's id, all strangers or everybody; from now, if not said else."""
    table.put_item(
        Item=_key(who)
        | {
            "since": now_ms() if since_ms is None else since_ms,
            "until": until_ms,
            # A day longer, for what happened meanwhile and is told late.
            "expires": until_ms // 1000 + DAY_S,
        }
    )


def unmute(table: Table, who: str) -> None:
    """Take a mute back, if there is one."""
    table.delete_item(Key=_key(who))


def mutes(table: Table) -> Iterator[Mute]:
    """All mutes, those that are over included until their rows expire."""
    for item in rows.query(table, Key("pk").eq(_PARTITION)):
        yield _mute(item)


def is_muted(table: Table, who: list[str], *moments_ms: int) -> bool:
    """Whether each of those who it may be was muted at one of the moments."""
    muted = {mute.who for mute in mutes(table) if mute.holds(*moments_ms)}
    return EVERYBODY in muted or (bool(who) and all(_names(one) & muted for one in who))


def _names(who: str) -> set[str]:
    # A person's id begins with another letter: functions/README.md
    return {who, STRANGERS} if who.startswith("s-") else {who}


def _key(who: str) -> dict[str, str]:
    return {"pk": _PARTITION, "sk": who}


def _mute(item: dict[str, Any]) -> Mute:
    return Mute(item["sk"], int(item["since"]), int(item["until"]))
