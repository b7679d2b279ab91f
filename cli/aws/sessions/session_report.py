"""Format a session's report as text; names come from the table, as the report holds none."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from cli.aws.time_formats import format_time, to_ms
from whosthere.alerts.texts import ENDINGS, cost_line, limit_line, unsure_line
from whosthere.faces.match import FAILED_CHECKS, failed_checks

Report = Mapping[str, Any]
LATENCIES = {
    "capturedToRecognised": "from capture to recognised",
    "recognisedToSent": "from recognised to alert",
    "capturedToSent": "from capture to alert",
}
# Counters of what was saved, the calls that were made, and what they do.
SAVED = (
    ("searches_saved", "rekognition:SearchFacesByImage", "face searches"),
    ("detections_saved", "rekognition:DetectFaces", "face detections"),
)


def report_lines(
    report: Report, name_of: Callable[[str], str], time_zone: str, now_ms: int
) -> Iterator[str]:
    """Return the report's lines; `name_of` returns a person's name."""

    def at(moment: str | None) -> str:
        return (
            format_time(to_ms(datetime.fromisoformat(moment)), time_zone, now_ms) if moment else "-"
        )

    yield f"Session {report['session']} at {report['camera']}, engine {report['engine']}"
    yield f"from {at(report['started'])} to {at(report['ended'])}, planned {at(report['deadline'])}"
    yield f"ended because {ENDINGS.get(str(report['endedBy']), str(report['endedBy']))}"
    if report["error"]:
        yield f"{report['error']}: {report['cause']}"
    yield from _visits("People", report["visits"], name_of, at)
    yield from _visits("Strangers", report["strangers"], lambda who: who[:10], at)
    yield f"Records {report['records']}, unsure faces {report['unsure']}"
    for unsure in report.get("unsurePersons", []):
        yield "  " + unsure_line(name_of(unsure["who"]), unsure)
    yield "Dropped: " + _drops(report["drops"])
    if not_searched := limit_line(report, time_zone):  # type: ignore[arg-type]
        yield not_searched
    if any(report.get("stops", {}).values()):
        yield "Stops: " + _counts(report["stops"])
    if saved := saved_text({**report.get("counts", {}), **report["calls"]}):
        yield saved
    yield from _latencies(report["latencies"])
    yield "Called: " + _counts(report["calls"])
    if cost := report.get("cost"):  # older reports have none
        yield cost_line(cost)


def _visits(
    title: str,
    visits: list[Report],
    name_of: Callable[[str], str],
    at: Callable[[str | None], str],
) -> Iterator[str]:
    yield f"{title}: {len(visits)} visits"
    for visit in visits:
        how_sure = f", best {visit['similarity']:.1f} of 100" if visit["similarity"] else ""
        probably = "probably " if visit.get("probably") else ""
        seen = f"{visit['unsure']} unsure" if probably else visit["sightings"]
        yield (
            f"  {probably}{name_of(visit['who'])}, {at(visit['first'])} to {at(visit['last'])}, "
            f"{seen} sightings{how_sure}, alert {visit['alert']}"
        )


def _latencies(latencies: Mapping[str, Any]) -> Iterator[str]:
    for name, text in LATENCIES.items():
        if late := latencies[name]:
            half, most = late["p50"] / 1000, late["p95"] / 1000
            yield f"Seconds {text}: {half:.1f} median, {most:.1f} p95, of {late['of']}"


def saved_text(counts: Mapping[str, int]) -> str:
    """Return how many calls of Rekognition image-search did not need; empty if it needed all.

    `counts` has a session's counters and calls.
    """
    parts = []
    for counter, call, what in SAVED:
        if saved := int(counts.get(counter, 0)):
            parts.append(f"{saved} of {saved + int(counts.get(call, 0))} {what}")
    return " and ".join(parts) + " were not needed" if parts else ""


def not_kept_text(counts: Mapping[str, int]) -> str:
    """Return why how many faces were not kept; empty if all were."""
    return ", ".join(f"{count} {text}" for text, count in failed_checks(counts).items())


def _drops(drops: Mapping[str, int]) -> str:
    gate = {f"dropped_{name}" for name in FAILED_CHECKS}
    others = {name: count for name, count in drops.items() if name not in gate}
    not_kept = not_kept_text(drops)
    return ", ".join([not_kept] * bool(not_kept) + [_counts(others)] * bool(others)) or "nothing"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
