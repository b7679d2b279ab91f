"""Compare what two engines made of one film: what must be the same, and what may differ and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.demo.result import ENGINE_DELAY_SECONDS, DemoResult, SeenVisit

# What may lie between two engines' times of one visit: two images, at one a second.
MOST_APART_SECONDS = max(ENGINE_DELAY_SECONDS.values())


@dataclass(frozen=True, slots=True)
class AllowedDifference:
    """A figure in which two engines may differ, and why."""

    what: str
    why: str


# All else must be the same: which persons and strangers were seen, in which visits, and how many
# strangers wait in the review queue. docs/sessions.md holds this list too.
ALLOWED = (
    AllowedDifference(
        "begin and end of a visit, as long as the times overlap or are two seconds apart at most",
        "the stream processor analyses several frames a second, image-search one image every "
        "`samplingSeconds`: a face that shows for a shorter time may be in none of the images",
    ),
    AllowedDifference(
        "sightings of a visit, and records",
        "each analysed frame with a face is a sighting, and the stream processor analyses more "
        "frames; image-search counts every image, also one without a face",
    ),
    AllowedDifference(
        "similarity",
        "it is measured on other frames, by image-search on each face cut out of its image",
    ),
    AllowedDifference(
        "latency",
        "an image exists only when its fragment is complete, and a visit needs two of them, which "
        "lie `samplingSeconds` apart",
    ),
    AllowedDifference(
        "API calls and price",
        "the stream processor is billed by the minute, image-search by call: DetectFaces for an "
        "image, SearchFacesByImage for a face",
    ),
)


def find_unequal(one: DemoResult, other: DemoResult) -> list[str]:
    """Return the differences between two runs that are not allowed; empty if there are none."""
    first, second = (str(run.session["engine"]) for run in (one, other))
    found: list[str] = []
    for own, its in _paired(one.visits, other.visits):
        if own is None or its is None:
            seen = [visit for visit in (own, its) if visit is not None]
            found.append(f"only {second if own is None else first} saw {visit_text(seen[0])}")
    counts = len(one.strangers), len(other.strangers)
    if counts[0] != counts[1]:
        found.append(f"strangers to review: {counts[0]} by {first}, {counts[1]} by {second}")
    return found


def is_same_visit(one: SeenVisit, other: SeenVisit) -> bool:
    """Return whether two engines mean the same visit: the same person, at about the same time.

    A stranger has another id in each run, so only that it is one counts.
    """
    apart = max(one.first, other.first) - min(one.last, other.last)
    return (one.kind, one.name) == (other.kind, other.name) and apart <= MOST_APART_SECONDS


def visit_text(visit: SeenVisit) -> str:
    """Return who was seen, and when in the film."""
    who = visit.name or "a stranger"
    return f"{who} from {visit.first:.1f} to {visit.last:.1f} s"


def comparison_rows(runs: Sequence[DemoResult]) -> Iterator[tuple[str, ...]]:
    """Yield the table: a row for each visit, then one for each figure, a column for each engine."""
    yield ("", *(str(run.session["engine"]) for run in runs))
    for visits in _paired(runs[0].visits, runs[1].visits):
        yield (_who(visits), *("-" if visit is None else _seen(visit) for visit in visits))
    yield ("people", *(_count(run, "person") for run in runs))
    yield ("strangers", *(str(len(run.strangers)) for run in runs))
    yield ("records with a face, or images", *(str(run.records) for run in runs))
    for quantile, name in (("p50", "median"), ("p95", "p95")):
        yield (f"captured to alert, {name}", *(_latency(run.report, quantile) for run in runs))
    for call in sorted({call for run in runs for call in rekognition_calls(run.report)}):
        yield (call, *(str(rekognition_calls(run.report).get(call, 0)) for run in runs))
    yield ("all API calls", *(str(sum(run.report["calls"].values())) for run in runs))
    yield ("price on AWS", *(_price(run.report["cost"]) for run in runs))


def rekognition_calls(report: Mapping[str, Any]) -> dict[str, int]:
    """Return a session's calls of Rekognition by operation."""
    return {
        call: count for call, count in report["calls"].items() if call.startswith("rekognition:")
    }


def _paired(
    ones: Sequence[SeenVisit], others: Sequence[SeenVisit]
) -> Iterator[tuple[SeenVisit | None, SeenVisit | None]]:
    left = list(others)
    for visit in ones:
        match = next((candidate for candidate in left if is_same_visit(visit, candidate)), None)
        if match is not None:
            left.remove(match)
        yield visit, match
    for visit in left:
        yield None, visit


def _who(visits: Sequence[SeenVisit | None]) -> str:
    visit = next(visit for visit in visits if visit is not None)
    return visit.name or "a stranger"


def _seen(visit: SeenVisit) -> str:
    similarity = f", {visit.similarity:.1f} %" if visit.similarity else ""
    return f"{visit.first:.1f} to {visit.last:.1f} s, {visit.sightings} sightings{similarity}"


def _count(run: DemoResult, kind: str) -> str:
    return str(len({visit.name for visit in run.visits if visit.kind == kind}))


def _latency(report: Mapping[str, Any], quantile: str) -> str:
    latency = report["latencies"]["capturedToSent"]
    return "-" if latency is None else f"{latency[quantile] / 1000:.1f} s"


def _price(cost: Mapping[str, Any]) -> str:
    """Return what a session costs on AWS, and what has no published price and is not in it."""
    lacks = f", without {', '.join(cost['without'])}" if cost["without"] else ""
    return f"${cost['dollars']:.3f}{lacks}"
