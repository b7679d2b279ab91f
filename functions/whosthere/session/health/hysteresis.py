"""Hysteresis: which changes of a camera's health the owner is told, and how often.

A camera on bad Wi-Fi stops and comes back all night. The owner gets one message that it stopped,
one that it is back once it has held for a while, and then one that it comes and goes. What the
owner was told belongs to the camera, so a new session does not begin anew.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.alerts.texts import BACK, FLAPPING, STOPPED
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, RowChangedError, Table

VIDEO, RECORDS = "video", "records"
# What has held for so long is over: the next stop is the first one again.
CALM_MS = 3_600_000
# So many messages about the health of one camera are sent within so long.
MOST_MESSAGES = 3
PERIOD_MS = 12 * 3_600_000


@dataclass(frozen=True, slots=True)
class Signal:
    """What comes from a camera, video or records; times in milliseconds, 0 for never.

    `stops` since `first_stop` are the recent ones, `session_stops` those of the latest session.
    `told` is what the owner was told last: STOPPED, FLAPPING or, if all is well, nothing; and
    `told_stops` how many stops there were then, so a stop that lasts is told once.
    """

    stopped: bool = False
    since: int = 0
    stops: int = 0
    first_stop: int = 0
    session_stops: int = 0
    told: str = ""
    told_stops: int = 0

    def seen(self, *, stopped: bool, since_ms: int, now_ms: int) -> "Signal":
        """Return the signal after a check; `since_ms` is when it stopped, if it has."""
        before = self
        if not self.stopped and now_ms - self.since >= CALM_MS:
            before = replace(self, stops=0, first_stop=0, told_stops=0)
        if stopped == self.stopped:
            return before
        if not stopped:
            return replace(before, stopped=False, since=now_ms)
        return replace(
            before,
            stopped=True,
            since=since_ms,
            stops=before.stops + 1,
            first_stop=before.first_stop or since_ms,
            session_stops=before.session_stops + 1,
        )

    def hold_ms(self, base_ms: int) -> int:
        """Return how long a change has to hold: twice as long after each stop, an hour at most."""
        is_flapping = self.told == FLAPPING and not self.stopped
        return CALM_MS if is_flapping else min(CALM_MS, base_ms * 2 ** min(self.stops, 20))

    def due(self, base_ms: int, now_ms: int) -> str:
        """Return what the owner should be told: STOPPED, FLAPPING, BACK or nothing."""
        has_held = now_ms - self.since >= self.hold_ms(base_ms)
        if not self.stopped:
            return BACK if self.told and has_held else ""
        if self.told == STOPPED:
            return FLAPPING if self.stops > 1 and self.stops != self.told_stops else ""
        if self.told == FLAPPING:
            return STOPPED if has_held else ""
        return FLAPPING if self.stops > 1 else STOPPED

    def with_told(self, told: str) -> "Signal":
        """Return the signal after the owner was told of a change."""
        return replace(self, told="" if told == BACK else told, told_stops=self.stops)


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The signals of a camera, and when the latest messages about them were sent.

    `session` is the one that has seen them last, `version` counts the writes of the row.
    """

    video: Signal = field(default_factory=Signal)
    records: Signal = field(default_factory=Signal)
    sent: tuple[int, ...] = ()
    session: str = ""
    version: int = 0

    def in_session(self, session_id: str) -> "CameraHealth":
        """Return the health as that session sees it, whose own stops are counted from 0."""
        if session_id == self.session:
            return self
        video, records = (replace(one, session_stops=0) for one in (self.video, self.records))
        return replace(self, video=video, records=records, session=session_id)

    def recent(self, now_ms: int) -> tuple[int, ...]:
        """Return the times of the messages that count at that moment."""
        return tuple(one for one in self.sent if now_ms - one < PERIOD_MS)

    def with_sent(self, count: int, now_ms: int) -> "CameraHealth":
        """Return the health after that many more messages."""
        return replace(self, sent=(*self.recent(now_ms), *[now_ms] * count)) if count else self

    def with_told(self, signal: str, told: str) -> "CameraHealth":
        """Return the health after the owner was told of a change of that signal."""
        if signal == VIDEO:
            return replace(self, video=self.video.with_told(told))
        return replace(self, records=self.records.with_told(told))


def camera_health_key(camera: str) -> dict[str, str]:
    """Key of the camera's row that holds its health."""
    return {"pk": f"camera#{camera}", "sk": "health"}


def read_camera_health(table: Table, camera: str) -> CameraHealth:
    """Return the camera's health as it was last written.

    One that a newer version wrote begins again: it must not end the sessions of this version.
    """
    row = dynamodb.read(table, camera_health_key(camera), any_schema=True) or {}
    kept: Row = row.get("health", {})
    return CameraHealth(
        video=_signal(kept.get(VIDEO, {})),
        records=_signal(kept.get(RECORDS, {})),
        sent=tuple(int(one) for one in kept.get("sent", ())),
        session=kept.get("session", ""),
        version=int(row.get("version", 0)),
    )


def _signal(kept: Mapping[str, object]) -> Signal:
    defaults = asdict(Signal())
    # DynamoDB's numbers are Decimals.
    return Signal(**{name: type(value)(kept.get(name, value)) for name, value in defaults.items()})


def write_camera_health(
    table: Table, camera: str, health: CameraHealth, now_ms: int
) -> CameraHealth:
    """Write the health over the version that was read; RowChangedError if another check has."""
    kept: Attributes = {
        VIDEO: asdict(health.video),
        RECORDS: asdict(health.records),
        "sent": list(health.sent),
        "session": health.session,
    }
    is_read = "version = :read" if health.version else "attribute_not_exists(version)"
    values: dict[str, Attributes | int] = {
        ":health": kept,
        ":written": health.version + 1,
        ":expires": now_ms // 1000 + KEEP_ROWS_S,
        ":schema": dynamodb.SCHEMA,
    }
    if health.version:
        values[":read"] = health.version
    try:
        table.update_item(
            Key=camera_health_key(camera),
            UpdateExpression="SET health = :health, version = :written, expires = :expires,"
            " schemaVersion = :schema",
            ConditionExpression=is_read,
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            raise RowChangedError from error
        raise
    return replace(health, version=health.version + 1)
