"""The clock of rows and alerts, and how its times are written."""

import time
from datetime import UTC, datetime

DAY_S = 86_400


def now_ms() -> int:
    """Return the milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def wait(milliseconds: int) -> None:
    """Sleep for that long."""
    time.sleep(milliseconds / 1000)


def utc(milliseconds: int) -> datetime:
    """Return a time as boto3 takes it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def iso(milliseconds: int) -> str:
    """Return a time as ISO 8601, in UTC with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
