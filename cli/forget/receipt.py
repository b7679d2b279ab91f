"""What is left of somebody who was forgotten, and when it expires by itself."""

from dataclasses import dataclass
from typing import Any

from cli.aws.target import Target
from cli.aws.time_formats import format_time
from whosthere.clock import DAY_S, iso

HOUR_S = 3600
# (Kinesis Data Streams developer guide, "Change the data retention period": 24 hours by default.)
STREAM_HOURS = 24
FRAME_DAYS = 1  # template.yaml, lifecycle of frames/
EXECUTION_DAYS = 90  # (Step Functions developer guide, "Service quotas": closed executions)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What stays for a while; `until_ms` is 0 where no time is known, `source` says what it is."""

    what: str
    until_ms: int
    source: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        until = iso(self.until_ms) if self.until_ms else None
        return {"what": self.what, "until": until, "source": self.source}

    def as_row(self, time_zone: str, now_ms: int) -> tuple[str, str, str]:
        """Return it as the columns of a table."""
        until = (
            "" if not self.until_ms else f"until {format_time(self.until_ms, time_zone, now_ms)}"
        )
        return f"  {self.what}", until, self.source


def remainders(target: Target, now_ms: int) -> list[Remainder]:
    """Return what no forgetting can remove, each with the latest time at which it is gone."""

    def after(what: str, seconds: int, source: str) -> Remainder:
        return Remainder(what, now_ms + 1000 * seconds if seconds else 0, source)

    def by(what: str, name: str, unit_s: int = DAY_S) -> Remainder:
        return after(what, int(target.parameters.get(name, 0)) * unit_s, f"parameter {name}")

    if target.engine == "image-search":
        passing = after("images of the video under frames/", FRAME_DAYS * DAY_S, "lifecycle rule")
    else:
        passing = after(
            "records of faces in the data streams",
            STREAM_HOURS * HOUR_S,
            "retention of Kinesis Data Streams",
        )
    return [
        by("video", "VideoRetentionHours", HOUR_S),
        passing,
        by("failed records and images that name nobody", "ReviewRetentionDays"),
        by("reports and decisions, with ids and no name", "ReportRetentionDays"),
        by("logs, with ids and no name", "LogRetentionDays"),
        after(
            "histories of executions, with neither",
            EXECUTION_DAYS * DAY_S,
            "Step Functions keeps them 90 days",
        ),
        after("messages already sent", 0, "their receivers keep them; links to pictures are dead"),
    ]
