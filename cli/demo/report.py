"""Says in a few lines what a demo run came to."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.demo.result import Outcome, latency, position

LEFT_NAMES = {
    "processors": "stream processors",
    "locks": "locks",
    "image_generation": "image generation",
    "processes": "child processes",
    "ports": "listening ports",
}


def clock(seconds: float | None) -> str:
    """Minutes and seconds of the film."""
    if seconds is None:
        return "--:--"
    return f"{int(seconds) // 60:02}:{seconds % 60:04.1f}"


def who(alert: Mapping[str, Any]) -> str:
    """The person's name, or that it is a stranger, with the first letters of the id."""
    if alert["kind"] == "stranger":
        return f"stranger {str(alert['name'])[:8]}"
    return str(alert["name"])


def alert_line(alert: Mapping[str, Any], at: float | None) -> str:
    """One alert as a line of the list."""
    similarity = alert.get("similarity")
    share = f"{float(similarity):5.1f} %" if similarity is not None else "      -"
    return f"  {clock(at)}  {who(alert):<20} {share}   {latency(alert):.1f} s after the capture"


def lines(outcome: Outcome, left: Mapping[str, list[Any]]) -> Iterator[str]:
    """The report: who was seen when, strangers, and what is left."""
    session = outcome.session
    yield f"Session {session['id']} at {session['camera']}, engine {session['engine']},"
    yield f"ended by {session['ended_by']} after {session['seconds']} s;"
    yield f"{outcome.records} records with faces."
    yield ""
    yield "Seen (place in the film, similarity, alert)"
    for alert in outcome.alerts:
        yield alert_line(alert, position(alert, outcome.first_capture))
    if not outcome.alerts:
        yield "  nobody"
    for notice in outcome.notices:
        yield f"  notice: {notice.get('message', '')}"
    yield ""
    yield "Strangers in the review queue"
    for stranger in outcome.strangers:
        picture = stranger["picture"] or "no picture"
        yield f"  {stranger['id'][:8]}  {stranger['sightings']} sightings  {picture}"
    if not outcome.strangers:
        yield "  none"
    yield ""
    yield left_line(left)


def left_line(left: Mapping[str, list[Any]]) -> str:
    """What is left, measured; each kind by name."""
    parts = [f"{len(left[key])} {name}" for key, name in LEFT_NAMES.items() if key in left]
    what = "Left behind: " + ", ".join(parts) + "."
    extra = [f"{name}: {item}" for key, name in LEFT_NAMES.items() for item in left.get(key, [])]
    return "\n".join([what, *(f"  {line}" for line in extra)])
