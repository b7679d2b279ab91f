"""What sessions have cost: their reports in S3 and the rows of those that run, as usage.

Days and months are those of UTC, as AWS bills. A session counts on the day on which it started.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.target import Target
from cli.aws.time_formats import to_ms
from cli.errors import InputError
from whosthere import dynamodb
from whosthere.clock import DAY_S, now_ms
from whosthere.costs.calculator import Usage, added
from whosthere.costs.usage import (
    GB,
    HOUR_MS,
    MINUTE_MS,
    Metered,
    usage_of_session,
    usage_of_storage,
)
from whosthere.names import stream_name
from whosthere.session.report import report_key
from whosthere.session_store import Session, latest_session, read_session, session_key

PREFIX = "sessions/"
DAY_MS = 1000 * DAY_S
# A session lasts a day at most, and its report is written when it ends; some time for failures.
LATEST_REPORT_MS = 3 * DAY_MS


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month, in milliseconds since the epoch."""

    name: str
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class BilledSession:
    """A session and what it used; `is_running` is whether there will be more."""

    id: str
    camera: str
    engine: str
    started_ms: int
    ended_ms: int
    usage: Usage
    is_running: bool = False
    is_estimate: bool = False  # its report is of a version that did not measure minutes

    @property
    def with_shard(self) -> Usage:
        """Its usage, and that of its camera's shard for as long as it ran."""
        hours = (self.ended_ms - self.started_ms) / HOUR_MS
        return added([self.usage, usage_of_storage(self.engine, hours, 0, 0)])


def parse_day(text: str) -> Period:
    """Return the day that is meant: today, yesterday, or a date."""
    today = datetime.now(UTC).date()
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = named.get(text) or datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise InputError(f"--day {text}: today, yesterday or a date: 2026-11-29") from error
    start = to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return Period(day.isoformat(), start, start + DAY_MS)


def parse_month(text: str) -> Period:
    """Return the month that is meant: `YYYY-MM`, or of an empty text this one."""
    text = text or f"{datetime.now(UTC):%Y-%m}"
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError(f"--month {text}: a month: 2026-11") from error
    after = (first + timedelta(days=31)).replace(day=1)
    return Period(f"{first:%Y-%m}", to_ms(first), to_ms(after))


class SessionBills:
    """The sessions of a stack, with what they used."""

    def __init__(self, target: Target) -> None:
        """Read of the stack what its bills depend on."""
        self._target, self._s3 = target, target.session.client("s3")
        self._kept_hours = float(target.parameters.get("VideoRetentionHours", 24))

    def one(self, session_id: str) -> BilledSession:
        """Return one session, running or not; InputError if there is none."""
        key = report_key(session_id)
        try:
            return self._of_report(self._read(key))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
        session = read_session(self._target.table(), session_id)
        if session is None:
            raise InputError(f"there is no session {session_id}; `./whosthere sessions` lists all")
        return self._of_row(session)

    def of(self, period: Period, camera: str = "") -> list[BilledSession]:
        """Return the sessions that started in a period, the oldest first."""
        found = {one.id: one for one in (*self._running(), *self._reported(period))}
        return sorted(
            (
                one
                for one in found.values()
                if period.since_ms <= one.started_ms < period.until_ms
                and camera in ("", one.camera)
            ),
            key=lambda one: one.started_ms,
        )

    def shards(self, period: Period, camera: str = "") -> Usage:
        """Return the hours of a period in which the cameras' data streams were there."""
        kinesis = self._target.session.client("kinesis")
        hours = 0.0
        for name in [camera] if camera else self._target.cameras:
            try:
                stream = stream_name(self._target.stack, name)
                found = kinesis.describe_stream_summary(StreamName=stream)
            except kinesis.exceptions.ResourceNotFoundException:
                continue  # image-search has none
            made = found["StreamDescriptionSummary"]
            since = max(period.since_ms, to_ms(made["StreamCreationTimestamp"]))
            until = min(period.until_ms, now_ms())
            hours += max(0, until - since) / HOUR_MS * made["OpenShardCount"]
        return {"shard": hours} if hours else {}

    def _running(self) -> Iterator[BilledSession]:
        table = self._target.table()
        for camera in self._target.cameras:
            session = latest_session(table, camera)
            if session and not session.reported:
                yield self._of_row(session)

    def _reported(self, period: Period) -> Iterator[BilledSession]:
        """Yield sessions whose report was written in a period, or soon after it."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._target.output("BucketName"), Prefix=PREFIX, Delimiter="/"
        )
        until_ms = period.until_ms + LATEST_REPORT_MS
        for page in pages:
            for item in page.get("Contents", ()):
                if period.since_ms <= to_ms(item["LastModified"]) < until_ms:
                    yield self._of_report(self._read(item["Key"]))

    def _read(self, key: str) -> Mapping[str, Any]:
        answer = self._s3.get_object(Bucket=self._target.output("BucketName"), Key=key)
        report: dict[str, Any] = json.loads(answer["Body"].read())
        return report

    def _of_report(self, report: Mapping[str, Any]) -> BilledSession:
        started, ended = (_moment(report[name]) for name in ("started", "ended"))
        cost = report.get("cost")
        began = _moment(report["running"]) if report["running"] else ended
        engine_ms = cost["engineMinutes"] * MINUTE_MS if cost else ended - began
        metered = Metered(round(engine_ms), cost["videoBytes"] if cost else 0)
        return BilledSession(
            report["session"],
            report["camera"],
            report["engine"],
            started,
            ended,
            self._usage(report["engine"], report["calls"], report["counts"], metered),
            is_estimate=cost is None,
        )

    def _of_row(self, session: Session) -> BilledSession:
        row = dynamodb.read(self._target.table(), session_key(session.id)) or {}
        counts = {name: int(number) for name, number in row.get("counts", {}).items()}
        metered = Metered.of(row, session.ended_ms)
        usage = self._usage(session.engine, counts, counts, metered)
        ended = session.ended_ms or now_ms()
        return BilledSession(
            session.id,
            session.camera,
            session.engine,
            session.started_ms,
            ended,
            usage,
            is_running=True,
        )

    def _usage(
        self, engine: str, calls: Mapping[str, int], counts: Mapping[str, int], metered: Metered
    ) -> Usage:
        used = usage_of_session(engine, calls, counts, metered)
        gigabytes = metered.video_bytes / GB
        return added([used, usage_of_storage("", 0, gigabytes, self._kept_hours)])


def _moment(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))
