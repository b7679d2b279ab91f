"""Format the summary that a demo prints."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.demo.result import DemoResult, alert_label, film_position, latency
from cli.tables import format_table
from whosthere.alerts.texts import unsure_line

LEAK_NAMES = {
    "processors": "stream processors",
    "locks": "locks",
    "image_generation": "streams with image generation on",
    "processes": "child processes",
    "ports": "listening ports",
}


def format_position(seconds: float | None) -> str:
    """Format a position in the film as minutes and seconds."""
    if seconds is None:
        return "--:--"
    return f"{int(seconds) // 60:02}:{seconds % 60:04.1f}"


def alert_name(alert: Mapping[str, Any]) -> str:
    """Return the person's name, or for a stranger the first letters of the id."""
    if alert["kind"] == "stranger":
        return f"stranger {str(alert['name'])[:8]}"
    return str(alert["name"])


def alert_title(alert: Mapping[str, Any]) -> str:
    """Return the name of an alert, and whether it is only probable."""
    return alert_name(alert) if alert["kind"] == "stranger" else alert_label(alert)


def alert_line(alert: Mapping[str, Any], at: float | None) -> str:
    """Return one line of the list of alerts."""
    similarity = alert.get("similarity")
    share = f"{float(similarity):5.1f} %" if similarity is not None else "      -"
    late = f"{latency(alert):.1f} s after the capture"
    return f"  {format_position(at)}  {alert_title(alert):<20} {share}   {late}"


def summary_lines(result: DemoResult) -> Iterator[str]:
    """Return the summary: who was seen when, and strangers."""
    session = result.session
    yield f"Session {session['id']} at {session['camera']}, engine {session['engine']},"
    yield f"ended by {session['ended_by']} after {session['seconds']} s;"
    yield f"{result.records} records with faces."
    yield ""
    yield "Seen (place in the film, similarity, alert)"
    for alert in result.alerts:
        yield alert_line(alert, film_position(alert, result.first_capture))
    if not result.alerts:
        yield "  nobody"
    for unsure in result.unsure:
        yield f"  {unsure_line(unsure['name'], unsure)}"
    for notice in result.notices:
        yield f"  notice: {notice.get('message', '')}"
    yield ""
    yield "Strangers in the review queue"
    rows = (
        (f"  {one['id'][:8]}", f"{one['sightings']} sightings", one["picture"] or "no picture")
        for one in result.strangers
    )
    yield format_table(rows) or "  none"
    yield ""


def leaks_line(left: Mapping[str, list[Any]]) -> str:
    """Return what is left behind: the number of each kind, and each item by name."""
    parts = [f"{len(left[key])} {name}" for key, name in LEAK_NAMES.items() if key in left]
    what = "Left behind: " + ", ".join(parts) + "."
    extra = [f"{name}: {item}" for key, name in LEAK_NAMES.items() for item in left.get(key, [])]
    return "\n".join([what, *(f"  {line}" for line in extra)])
