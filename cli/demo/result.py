"""Collect the result of a demo run and compare it with the right answers of the film."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from cli.demo.session import ObservedSession
from cli.setup.laptop_stack import CAMERA, Stack, table_of
from local.laptop import LaptopAWS
from whosthere import dynamodb
from whosthere.clock import iso
from whosthere.dynamodb import Row
from whosthere.people.store import name_of
from whosthere.session.report import report_key, unsure_persons
from whosthere.session.reported import UnsurePerson
from whosthere.session_store import session_key
from whosthere.strangers.store import listed, read_strangers
from whosthere.strangers.stranger import Stranger
from whosthere.visits.queries import visits_of

ALERT_FIELDS = (
    "kind",
    "name",
    "probably",
    "camera",
    "visit",
    "similarity",
    "captured",
    "recognised",
    "sent",
    "message",
)
VISIT_KINDS = ("person", "stranger")
# film.json assumes several frames a second; two sightings at one image a second take longer.
ENGINE_DELAY_SECONDS = {"image-search": 2.0}


class NamedUnsure(UnsurePerson):
    """A person that unsure faces resembled, with the name."""

    name: str


@dataclass(frozen=True, slots=True)
class SeenVisit:
    """A visit of a run; times are positions in the film, in seconds, and `name` a person's."""

    kind: str
    name: str | None
    first: float
    last: float
    sightings: int
    similarity: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The run in the fields of `--json`, and the strangers' pictures by id.

    `unsure` are the persons that unsure faces resembled, with their names. `report` is the
    session's, and empty if it left none; `visits` are its visits, in the order of their begin.
    """

    session: dict[str, Any]
    alerts: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    strangers: list[dict[str, Any]]
    pictures: dict[str, bytes]
    records: int
    first_capture: datetime | None
    unsure: list[NamedUnsure] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    visits: list[SeenVisit] = field(default_factory=list)


def collect_result(laptop: LaptopAWS, stack: Stack, observed: ObservedSession) -> DemoResult:
    """Read what the session wrote, as the owner's tools would."""
    table = table_of(laptop, stack)
    session = dynamodb.read(table, session_key(observed.id)) or {}
    found = read_strangers(table, listed(table))
    strangers = [_stranger(one) for one in found]
    bodies = [received.body for received in observed.received]
    report = _report(laptop, stack, observed.id)
    alerts = [
        {name: body.get(name) for name in ALERT_FIELDS}
        for body in bodies
        if body["kind"] in VISIT_KINDS
    ]
    return DemoResult(
        session=_session(observed, session),
        alerts=sorted(alerts, key=lambda alert: str(alert["captured"])),
        notices=[body for body in bodies if body["kind"] not in VISIT_KINDS],
        strangers=sorted(strangers, key=lambda stranger: str(stranger["first_seen"])),
        pictures=_pictures(laptop, stack, found),
        records=int(session.get("counts", {}).get("records", 0)),
        first_capture=observed.first_capture,
        unsure=[
            {"name": name_of(table, unsure["who"]), **unsure}
            for unsure in unsure_persons(visits_of(table, observed.id, CAMERA))
        ],
        report=report,
        visits=_visits(report, observed.first_capture, partial(name_of, table)),
    )


def _report(laptop: LaptopAWS, stack: Stack, session: str) -> dict[str, Any]:
    s3 = laptop.client("s3")
    try:
        answer = s3.get_object(Bucket=stack.bucket, Key=report_key(session))
    except s3.exceptions.NoSuchKey:
        return {}
    return dict(json.loads(answer["Body"].read()))


def _visits(
    report: Mapping[str, Any], first_capture: datetime | None, name_of: Callable[[str], str]
) -> list[SeenVisit]:
    def position(moment: str) -> float:
        return _position(datetime.fromisoformat(moment), first_capture) or 0.0

    visits = [
        SeenVisit(
            kind,
            name_of(one["who"]) if kind == "person" else None,
            position(one["first"]),
            position(one["last"]),
            one["sightings"],
            one["similarity"],
        )
        for kind, found in (("person", "visits"), ("stranger", "strangers"))
        for one in report.get(found, [])
    ]
    return sorted(visits, key=lambda visit: visit.first)


def _session(observed: ObservedSession, row: Row) -> dict[str, Any]:
    known = "endedAt" in row and "startedAt" in row
    return {
        "id": observed.id,
        "camera": CAMERA,
        "engine": row.get("engine"),
        "status": observed.status,
        "ended_by": row.get("endedBy"),
        "seconds": int(row["endedAt"] - row["startedAt"]) / 1000 if known else None,
    }


def _stranger(one: Stranger) -> dict[str, Any]:
    return {
        "id": one.id,
        "camera": one.cameras[0],
        "sightings": one.sightings,
        "first_seen": iso(one.first_ms),
        "last_seen": iso(one.last_ms),
        "picture": f"strangers/{one.id}.jpg" if one.picture_key else None,
    }


def _pictures(laptop: LaptopAWS, stack: Stack, strangers: Sequence[Stranger]) -> dict[str, bytes]:
    s3 = laptop.client("s3")
    return {
        one.id: s3.get_object(Bucket=stack.bucket, Key=one.picture_key)["Body"].read()
        for one in strangers
        if one.picture_key
    }


def latency(alert: Mapping[str, Any]) -> float:
    """Return the seconds from the capture of the confirming sighting to the alert's sending."""
    sent = datetime.fromisoformat(alert["sent"])
    return (sent - datetime.fromisoformat(alert["captured"])).total_seconds()


def film_position(alert: Mapping[str, Any], first_capture: datetime | None) -> float | None:
    """Return the position in the film of the alert's sighting, in seconds.

    A film stands on its first picture until it plays: who is seen then is at its beginning.
    """
    return _position(datetime.fromisoformat(alert["captured"]), first_capture)


def _position(moment: datetime, first_capture: datetime | None) -> float | None:
    if first_capture is None:
        return None
    return max(0.0, (moment - first_capture).total_seconds())


def find_differences(result: DemoResult, truth: Mapping[str, Any]) -> list[str]:
    """Return how the run differs from the right answers in film.json."""
    left = list(result.alerts)
    found = []
    for expected in truth["alerts"]:
        match = next((alert for alert in left if _matches(alert, expected, result)), None)
        if match is None:
            begin, end = expected["between"]
            who = expected.get("name", "a stranger")
            found.append(f"no alert about {who} between {begin} and {end} s of the film")
        else:
            left.remove(match)
    for alert in left:
        at = film_position(alert, result.first_capture)
        found.append(f"an alert too many: {_alert_name(alert)} at {at:.1f} s of the film")
    wanted, seen = len(truth["strangers"]), len(result.strangers)
    if wanted != seen:
        found.append(f"{seen} strangers in the review queue instead of {wanted}")
    return found


def _matches(alert: Mapping[str, Any], expected: Mapping[str, Any], result: DemoResult) -> bool:
    if alert["kind"] != expected["kind"]:
        return False
    if expected["kind"] == "person" and alert_label(alert) != expected["name"]:
        return False
    at = film_position(alert, result.first_capture)
    begin, end = expected["between"]
    later = ENGINE_DELAY_SECONDS.get(str(result.session["engine"]), 0)
    return at is not None and begin <= at <= end + later


def _alert_name(alert: Mapping[str, Any]) -> str:
    return "a stranger" if alert["kind"] == "stranger" else alert_label(alert)


def alert_label(alert: Mapping[str, Any]) -> str:
    """Return the name that an alert gives, and whether it is only probable."""
    return f"probably {alert['name']}" if alert.get("probably") else str(alert["name"])
