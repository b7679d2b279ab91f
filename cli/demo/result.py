"""What a demo run came to: alerts, strangers, figures, and whether it is what the film holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.demo.runner import Run
from cli.setup.laptop_stack import CAMERA, Stack, table_of
from local.laptop import LaptopAWS

ALERT_FIELDS = (
    "kind",
    "name",
    "camera",
    "visit",
    "similarity",
    "captured",
    "recognised",
    "sent",
    "message",
)
SEEN = ("person", "stranger")
# film.json counts on several looks a second; at one image a second two take that much longer.
LATER_SECONDS = {"image-search": 2.0}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The run in the words of `--json`, and the strangers' pictures by id."""

    session: dict[str, Any]
    alerts: list[dict[str, Any]]
    notices: list[dict[str, Any]]
    strangers: list[dict[str, Any]]
    pictures: dict[str, bytes]
    records: int
    first_capture: datetime | None


def collect(laptop: LaptopAWS, stack: Stack, run: Run) -> Outcome:
    """Read what the session left behind, as the owner's tools would."""
    rows: list[dict[str, Any]] = table_of(laptop, stack).scan(ConsistentRead=True)["Items"]
    session = next(
        (
            row
            for row in rows
            if row["pk"] == f"session#{run.session_id}" and row["sk"] == "session"
        ),
        {},
    )
    strangers = [_stranger(row) for row in rows if row["sk"] == "stranger"]
    bodies = [received.body for received in run.received]
    alerts = [
        {name: body.get(name) for name in ALERT_FIELDS} for body in bodies if body["kind"] in SEEN
    ]
    return Outcome(
        session=_session(run, session),
        alerts=sorted(alerts, key=lambda alert: str(alert["captured"])),
        notices=[body for body in bodies if body["kind"] not in SEEN],
        strangers=sorted(strangers, key=lambda stranger: str(stranger["first_seen"])),
        pictures=_pictures(laptop, stack, rows),
        records=int(session.get("counts", {}).get("records", 0)),
        first_capture=run.first_capture,
    )


def _session(run: Run, row: Mapping[str, Any]) -> dict[str, Any]:
    known = "endedAt" in row and "startedAt" in row
    return {
        "id": run.session_id,
        "camera": CAMERA,
        "engine": row.get("engine"),
        "status": run.status,
        "ended_by": row.get("endedBy"),
        "seconds": int(row["endedAt"] - row["startedAt"]) / 1000 if known else None,
    }


def _stranger(row: Mapping[str, Any]) -> dict[str, Any]:
    stranger = row["pk"].removeprefix("stranger#")
    return {
        "id": stranger,
        "camera": row["camera"],
        "sightings": int(row["sightings"]),
        "first_seen": _iso(int(row["firstSeen"])),
        "last_seen": _iso(int(row["lastSeen"])),
        "picture": f"strangers/{stranger}.jpg" if row.get("pictureKey") else None,
    }


def _pictures(
    laptop: LaptopAWS, stack: Stack, rows: Sequence[Mapping[str, Any]]
) -> dict[str, bytes]:
    s3 = laptop.client("s3")
    return {
        row["pk"].removeprefix("stranger#"): s3.get_object(
            Bucket=stack.bucket, Key=row["pictureKey"]
        )["Body"].read()
        for row in rows
        if row["sk"] == "stranger" and row.get("pictureKey")
    }


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latency(alert: Mapping[str, Any]) -> float:
    """Seconds from the capture of the confirming sighting until the alert was sent."""
    sent = datetime.fromisoformat(alert["sent"])
    return (sent - datetime.fromisoformat(alert["captured"])).total_seconds()


def position(alert: Mapping[str, Any], first_capture: datetime | None) -> float | None:
    """Where in the film the alert's sighting stands, in seconds."""
    if first_capture is None:
        return None
    return (datetime.fromisoformat(alert["captured"]) - first_capture).total_seconds()


def differences(outcome: Outcome, truth: Mapping[str, Any]) -> list[str]:
    """How the run differs from what film.json says is right; empty if it does not."""
    left = list(outcome.alerts)
    found = []
    for expected in truth["alerts"]:
        match = next((alert for alert in left if _is(alert, expected, outcome)), None)
        if match is None:
            begin, end = expected["between"]
            who = expected.get("name", "a stranger")
            found.append(f"no alert about {who} between {begin} and {end} s of the film")
        else:
            left.remove(match)
    for alert in left:
        at = position(alert, outcome.first_capture)
        found.append(f"an alert too many: {_who(alert)} at {at:.1f} s of the film")
    wanted, seen = len(truth["strangers"]), len(outcome.strangers)
    if wanted != seen:
        found.append(f"{seen} strangers in the review queue instead of {wanted}")
    return found


def _is(alert: Mapping[str, Any], expected: Mapping[str, Any], outcome: Outcome) -> bool:
    if alert["kind"] != expected["kind"]:
        return False
    if expected["kind"] == "person" and alert["name"] != expected["name"]:
        return False
    at = position(alert, outcome.first_capture)
    begin, end = expected["between"]
    later = LATER_SECONDS.get(str(outcome.session["engine"]), 0)
    return at is not None and begin <= at <= end + later


def _who(alert: Mapping[str, Any]) -> str:
    return "a stranger" if alert["kind"] == "stranger" else str(alert["name"])
