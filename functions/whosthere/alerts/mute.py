"""Suppressed alerts: mutes, and quiet hours. The visits are kept all the same.

A mute is for one person, one stranger, all strangers or everybody.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.clock import DAY_S, now_ms
from whosthere.dynamodb import Row, Table
from whosthere.names import STRANGER_PREFIX
from whosthere.settings import Settings

STRANGERS, EVERYBODY = "stranger", "*"
_PARTITION = "mute"


@dataclass(frozen=True, slots=True)
class Mute:
    """A mute: about whom, and from when until when, in milliseconds."""

    who: str
    since_ms: int
    until_ms: int

    def holds(self, *moments_ms: int) -> bool:
        """Return whether the mute holds at one of the moments."""
        return any(self.since_ms <= moment < self.until_ms for moment in moments_ms)


def mute(table: Table, who: str, until_ms: int, since_ms: int | None = None) -> None:
    """Mute the id of a person or stranger, all strangers or everybody; by default from now on."""
    table.put_item(
        Item=_key(who)
        | dynamodb.STAMP
        | {
            "since": now_ms() if since_ms is None else since_ms,
            "until": until_ms,
            # A day longer, for alerts that come late about this time.
            "expires": until_ms // 1000 + DAY_S,
        }
    )


def unmute(table: Table, who: str) -> None:
    """Remove a mute, if there is one."""
    table.delete_item(Key=_key(who))


def mutes(table: Table) -> Iterator[Mute]:
    """Yield all mutes, including those that are over, until their rows expire."""
    for item in dynamodb.query(table, Key("pk").eq(_PARTITION)):
        yield _mute(item)


def is_suppressed(
    table: Table, settings: Settings, who: Sequence[str], captured_ms: int, now_ms: int
) -> bool:
    """Return whether the owner wants no alert about these ids, by quiet hours or mutes.

    Quiet hours go by the time of capture. A mute also holds for earlier captures whose alert
    is due now; of several ids that it may be, all have to be muted.
    """
    if settings.quiet_hours and in_hours(captured_ms, settings.quiet_hours, settings.time_zone):
        return True
    muted = {mute.who for mute in mutes(table) if mute.holds(captured_ms, now_ms)}
    if STRANGERS in muted:
        muted |= {one for one in who if one.startswith(STRANGER_PREFIX)}
    return EVERYBODY in muted or (bool(who) and muted.issuperset(who))


def in_hours(moment_ms: int, hours: Iterable[str], time_zone: str) -> bool:
    """Return whether a moment lies in one of the spans `22:00-06:00` on the owner's wall clock.

    A span includes its begin and excludes its end; two equal times are the whole day. It goes
    by the wall clock, so the night in which the clocks change is an hour longer or shorter.
    """
    wall = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(time_zone)).strftime("%H:%M")
    return any(_lies_in(wall, *span.split("-")) for span in hours)


def _lies_in(wall: str, begin: str, end: str) -> bool:
    if begin < end:
        return begin <= wall < end
    return wall >= begin or wall < end


def _key(who: str) -> dict[str, str]:
    return {"pk": _PARTITION, "sk": who}


def _mute(item: Row) -> Mute:
    return Mute(item["sk"], int(item["since"]), int(item["until"]))
