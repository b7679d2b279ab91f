"""The parts of a session's report, as they are in its JSON."""

from typing import TypedDict

from whosthere.session.health.records import HealthFacts


class ReportedVisit(TypedDict):
    """A visit in a report."""

    visit: str
    who: str
    first: str
    last: str
    sightings: int
    unsure: int
    similarity: float
    probably: bool
    alert: str
    captured: str
    recognised: str
    sent: str | None


class UnsurePerson(TypedDict):
    """A person that unsure faces of a session resembled: how many, and how much at best.

    `needsPhoto`: more sightings of them were unsure than sure.
    """

    who: str
    sightings: int
    similarity: float
    needsPhoto: bool


class ReportedRun(TypedDict):
    """A report's head: which session it was, from when to when."""

    session: str
    camera: str
    engine: str
    execution: str
    started: str
    running: str | None
    deadline: str
    ended: str | None
    minutes: dict[str, float | None]
    endedBy: str | None


class ReportedCounts(TypedDict):
    """A report's counts of records."""

    records: int
    unsure: int
    drops: dict[str, int]
    counts: dict[str, int]


class ReportedCost(TypedDict):
    """What a session cost, in dollars and millionths; `without` are lines without a price.

    `engineMinutes` and `videoBytes` are what its checks measured.
    """

    dollars: float
    without: list[str]
    engineMinutes: float
    videoBytes: int


class ReportedPauses(TypedDict):
    """How long a session was paused at limits on its cost, and when it last was."""

    minutes: float
    lastFrom: str
    lastUntil: str


class Report(ReportedRun, ReportedCounts):
    """The report of an ended session; times in ISO 8601 UTC, similarities from 0 to 100."""

    error: str
    cause: str
    unsurePersons: list[UnsurePerson]
    watch: HealthFacts | None
    stops: dict[str, int]
    limitPauses: ReportedPauses | None
    latencies: dict[str, dict[str, int] | None]
    calls: dict[str, int]
    cost: ReportedCost
    visits: list[ReportedVisit]
    strangers: list[ReportedVisit]
