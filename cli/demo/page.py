"""Render the page of a demo run: one file that loads nothing from anywhere."""

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from cli.demo.report import alert_title, format_position, leaks_line
from cli.demo.result import DemoResult, film_position, latency
from cli.demo.timeline import render_timeline
from whosthere.alerts.texts import unsure_line

PAGE = Path(__file__).parent / "page.html"


def render_page(
    result: DemoResult,
    report: Mapping[str, Any],
    *,
    seconds: float,
    truth: Mapping[str, Any] | None,
    wrong: list[str],
) -> str:
    """Return the page as HTML."""
    session = result.session
    return Template(PAGE.read_text()).substitute(
        headline=_escape(
            f"Session {session['id']} at {session['camera']}, engine {session['engine']}, "
            f"ended by {session['ended_by']} after {session['seconds']} s."
        ),
        verdict=_verdict(truth, wrong),
        timeline=render_timeline(result, seconds, truth),
        legend=_legend(truth),
        alerts=_alerts(result),
        unsure=_unsure(result),
        strangers=_strangers(result),
        left=_escape(leaks_line(report["left"]).removeprefix("Left behind: ")),
        report=_escape(json.dumps(report, indent=2, ensure_ascii=False)),
    )


def _escape(text: object) -> str:
    return html.escape(str(text))


def _verdict(truth: Mapping[str, Any] | None, wrong: list[str]) -> str:
    if truth is None:
        return ""
    if not wrong:
        return "Every alert and every stranger is what <code>demo/film.json</code> says is right."
    return "Not what <code>demo/film.json</code> says is right: " + _escape("; ".join(wrong)) + "."


def _legend(truth: Mapping[str, Any] | None) -> str:
    if truth is None:
        return "Dots: alerts, at the sighting that confirmed the visit."
    return (
        "Bars: who is in the film when (dashed: turned away). "
        "Dots: alerts, at the sighting that confirmed the visit."
    )


def _alerts(result: DemoResult) -> str:
    if not result.alerts:
        return "<p>None.</p>"
    rows = "".join(_alert(alert, result) for alert in result.alerts)
    return (
        "<table><thead><tr><th scope=col>Film<th scope=col>Who<th scope=col class=number>Similarity"
        f"<th scope=col class=number>Latency<th scope=col>Text</thead><tbody>{rows}</tbody></table>"
    )


def _alert(alert: Mapping[str, Any], result: DemoResult) -> str:
    similarity = alert.get("similarity")
    share = "–" if similarity is None else f"{float(similarity):.1f} %"
    return (
        f"<tr><td class=number>{format_position(film_position(alert, result.first_capture))}"
        f'<td class="{_escape(alert["kind"])}">{_escape(alert_title(alert))}'
        f"<td class=number>{share}<td class=number>{latency(alert):.1f} s"
        f"<td class=text>{_escape(_shortened(alert['message']))}"
    )


def _unsure(result: DemoResult) -> str:
    lines = [unsure_line(unsure["name"], unsure) for unsure in result.unsure]
    return "".join(f"<p>{_escape(line)}.</p>" for line in lines)


def _shortened(message: str) -> str:
    # A presigned link is long, and its laptop AWS no longer runs.
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1?…", message)


def _strangers(result: DemoResult) -> str:
    if not result.strangers:
        return "<p>Nobody new.</p>"
    items = "".join(f"<li>{_stranger(stranger, result)}" for stranger in result.strangers)
    return f"<ul class=strangers>{items}</ul>"


def _stranger(stranger: Mapping[str, Any], result: DemoResult) -> str:
    picture = result.pictures.get(stranger["id"])
    name = f"stranger {stranger['id'][:8]}"
    image = "<p>No picture.</p>"
    if picture is not None:
        data = base64.b64encode(picture).decode()
        image = f'<img src="data:image/jpeg;base64,{data}" alt="Picture of {_escape(name)}">'
    return (
        f"<figure>{image}<figcaption>{_escape(name)}<br>{stranger['sightings']} sightings, "
        f"{stranger['first_seen'][11:19]} to {stranger['last_seen'][11:19]} UTC"
        "</figcaption></figure>"
    )
