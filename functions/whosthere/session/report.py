"""The report a session leaves behind, as JSON in S3.

It names persons by their opaque ids, so that forgetting somebody needs no search
through old reports.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal

from whosthere import dynamodb
from whosthere.clock import iso
from whosthere.costs.calculator import added, cost_of
from whosthere.costs.prices import PriceTable, home_prices
from whosthere.costs.usage import HOUR_MS, MINUTE_MS, Metered, usage_of_session, usage_of_storage
from whosthere.dynamodb import Row, Table
from whosthere.metrics import (
    LATENCY_COUNTER,
    Latency,
    is_call,
    latency_of_counters,
    latency_of_durations,
)
from whosthere.names import STRANGER_PREFIX
from whosthere.session.health.records import facts, health_of
from whosthere.session.progress import progress_of
from whosthere.session.reported import (
    Report,
    ReportedCost,
    ReportedCounts,
    ReportedPauses,
    ReportedRun,
    ReportedVisit,
    UnsurePerson,
)
from whosthere.session_store import Session, session_key
from whosthere.visits.queries import visits_of
from whosthere.visits.visit import Visit


def report_key(session_id: str) -> str:
    """Return the key of a session's report in the bucket."""
    return f"sessions/{session_id}.json"


MOST_UNSURE = 10  # persons in a report that unsure faces resembled
# Counters of what was seen and not used; all others are in the report as they are.
DROPS = ("dropped_", "before_session", "after_session", "images_")


def lines_key(session_id: str) -> str:
    """Return the key of a session's visits in the bucket, one line of JSON each."""
    return f"sessions/visits/{session_id}.jsonl"


def make_report(
    table: Table,
    session: Session,
    error: str,
    cause: str,
    calls: Mapping[str, int],
    prices: PriceTable | None = None,
) -> Report:
    """Return the report of an ended session.

    `calls` are those of the execution; latencies are in milliseconds, and begin at the
    camera's own clock.
    """
    row = dynamodb.read(table, session_key(session.id)) or {}
    found = visits_of(table, session.id, session.camera)
    visits = [visit for visit in found if visit.alert != "none"]  # never confirmed
    counters = {name: int(count) for name, count in sorted(row["counts"].items())}
    made = _calls(counters, calls)
    return {
        **_run(session, row.get("runningAt")),
        "error": error,
        "cause": cause,
        **_counted(counters),
        "unsurePersons": unsure_persons(found),
        "watch": facts(health_of(row)),
        "stops": _stops(row),
        "limitPauses": _limit_pauses(row, session.ended_ms or session.deadline_ms),
        "latencies": _latencies(counters, visits),
        "calls": made,
        "cost": _cost(session, row, made, counters, prices or home_prices()),
        "visits": [_visit(visit) for visit in visits if not _is_stranger(visit)],
        "strangers": [_visit(visit) for visit in visits if _is_stranger(visit)],
    }


def _run(session: Session, running: Decimal | None) -> ReportedRun:
    return {
        "session": session.id,
        "camera": session.camera,
        "engine": session.engine,
        "execution": session.execution,
        "started": iso(session.started_ms),
        "running": None if running is None else iso(int(running)),
        "deadline": iso(session.deadline_ms),
        "ended": None if session.ended_ms is None else iso(session.ended_ms),
        "minutes": _minutes(session),
        "endedBy": session.ended_by,
    }


def _counted(counters: Mapping[str, int]) -> ReportedCounts:
    counts = {
        name: count
        for name, count in counters.items()
        if not is_call(name) and not name.startswith(LATENCY_COUNTER)
    }
    return {
        "records": counts.get("records", 0),
        "unsure": counts.get("unsure", 0),
        "drops": {name: count for name, count in counts.items() if name.startswith(DROPS)},
        "counts": counts,
    }


def unsure_persons(visits: Iterable[Visit]) -> list[UnsurePerson]:
    """Return which persons the unsure sightings of visits resembled, the most often first."""
    sightings: Counter[str] = Counter()
    sure: Counter[str] = Counter()
    best: dict[str, float] = {}
    for visit in visits:
        if visit.unsure.sightings:
            sightings[visit.who] += visit.unsure.sightings
            best[visit.who] = max(best.get(visit.who, 0.0), visit.unsure.similarity)
        sure[visit.who] += visit.sightings
    return [
        {
            "who": who,
            "sightings": number,
            "similarity": best[who],
            "needsPhoto": number > sure[who],
        }
        for who, number in sightings.most_common(MOST_UNSURE)
    ]


def _stops(row: Row) -> dict[str, int]:
    """Return how often video and records stopped, as the checks have counted."""
    progress = progress_of(row)
    return {"video": progress.video_stops, "records": progress.records_stops}


def _limit_pauses(row: Row, ended_ms: int) -> ReportedPauses | None:
    """Return how long nothing was searched because of a limit; None if the session had no pause."""
    progress = progress_of(row)
    if not progress.limit_since:
        return None
    until_ms = ended_ms if progress.is_limited else progress.limit_until
    return {
        "minutes": round(progress.not_searched_ms(ended_ms) / MINUTE_MS, 1),
        "lastFrom": iso(progress.limit_since),
        "lastUntil": iso(until_ms),
    }


def _calls(counters: Mapping[str, int], calls: Mapping[str, int]) -> dict[str, int]:
    """Those of the functions, which count their own, and of the execution."""
    made = Counter(calls)
    made.update({name: count for name, count in counters.items() if is_call(name)})
    return dict(sorted(made.items()))


def _cost(
    session: Session,
    row: Row,
    calls: Mapping[str, int],
    counters: Mapping[str, int],
    prices: PriceTable,
) -> ReportedCost:
    """Return what the session cost by its own counters; for how long video is kept is unknown."""
    metered = Metered.of(row, session.ended_ms)
    hours = ((session.ended_ms or session.started_ms) - session.started_ms) / HOUR_MS
    usage = usage_of_session(session.engine, calls, counters, metered)
    lasting = usage_of_storage(session.engine, hours, 0, 0)
    cost = cost_of(added([usage, lasting]), prices)
    return {
        "dollars": round(cost.dollars, 6),
        "without": list(cost.without),
        "engineMinutes": round(metered.engine_ms / MINUTE_MS, 3),
        "videoBytes": metered.video_bytes,
    }


def _minutes(session: Session) -> dict[str, float | None]:
    planned, real = session.deadline_ms, session.ended_ms
    return {
        name: None if end is None else round((end - session.started_ms) / 60_000, 1)
        for name, end in (("planned", planned), ("real", real))
    }


def _latencies(
    counters: Mapping[str, int], visits: Iterable[Visit]
) -> dict[str, dict[str, int] | None]:
    sent = [visit for visit in visits if visit.sent_ms]
    found: dict[str, Latency | None] = {
        "capturedToRecognised": latency_of_counters(counters),
        "recognisedToSent": latency_of_durations([one.sent_ms - one.recognised_ms for one in sent]),
        "capturedToSent": latency_of_durations([one.sent_ms - one.captured_ms for one in sent]),
    }
    return {name: None if latency is None else asdict(latency) for name, latency in found.items()}


def _is_stranger(visit: Visit) -> bool:
    return visit.who.startswith(STRANGER_PREFIX)


def _visit(visit: Visit) -> ReportedVisit:
    return {
        "visit": visit.id,
        "who": visit.who,
        "first": iso(visit.first_ms),
        "last": iso(visit.last_ms),
        "sightings": visit.sightings,
        "unsure": visit.unsure.sightings,
        "similarity": visit.unsure.similarity if visit.is_probable else visit.similarity,
        "probably": visit.is_probable,
        "alert": visit.alert,
        "captured": iso(visit.captured_ms),
        "recognised": iso(visit.recognised_ms),
        "sent": iso(visit.sent_ms) if visit.sent_ms else None,
    }


def as_json(report: Report) -> bytes:
    """Return the report as it is stored in the bucket."""
    return json.dumps(report, indent=2).encode()


def as_lines(report: Report) -> bytes:
    """Return each visit as one line of JSON that stands alone, for DuckDB, Athena and the like."""
    lines = []
    for kind, visits in (("person", report["visits"]), ("stranger", report["strangers"])):
        for visit in visits:
            own = {"session": report["session"], "camera": report["camera"], "kind": kind}
            lines.append(json.dumps({**own, **visit}) + "\n")
    return "".join(lines).encode()
