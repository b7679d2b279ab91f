"""Render the timeline of a film: who is in it when, and where the alerts are."""

import html
import math
from collections.abc import Iterator, Mapping
from typing import Any

from cli.demo.report import alert_name, alert_title, format_position
from cli.demo.result import DemoResult, film_position

LEFT, RIGHT, TOP, LANE = 130, 870, 10, 34
TICKS = 8  # at most, on the axis
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def render_timeline(result: DemoResult, seconds: float, truth: Mapping[str, Any] | None) -> str:
    """Return the timeline as SVG; the table below it holds the same in words."""
    lanes = _lanes(result, truth)
    height = TOP + LANE * max(1, len(lanes)) + 26
    parts = [*_axis(seconds, height)]
    for number, name in enumerate(lanes):
        y = TOP + LANE * number
        parts.append(f'<text x="0" y="{y + 21}">{html.escape(name)}</text>')
    if truth is not None:
        parts += _appearances(truth, lanes, seconds)
    parts += _alerts(result, truth, lanes, seconds)
    label = f"Timeline of {len(result.alerts)} alerts"
    return f'<svg viewBox="0 0 900 {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _lanes(result: DemoResult, truth: Mapping[str, Any] | None) -> list[str]:
    """Return the names from top to bottom, in the order of their first appearance."""
    names = [appearance["who"] for appearance in truth["appearances"]] if truth else []
    if truth is None or not any(_is_stranger(name, truth) for name in names):
        return list(dict.fromkeys([*names, *(alert_name(alert) for alert in result.alerts)]))
    persons = [alert_name(alert) for alert in result.alerts if alert["kind"] == "person"]
    return list(dict.fromkeys([*names, *persons]))


def _is_stranger(name: str, truth: Mapping[str, Any]) -> bool:
    return name not in truth["people"]


def _lane_of(
    alert: Mapping[str, Any], at: float, truth: Mapping[str, Any] | None, lanes: list[str]
) -> int | None:
    name = alert_name(alert)
    if name in lanes:
        return lanes.index(name)
    # A stranger's alert names nobody: film.json says who was there at that time.
    for appearance in truth["appearances"] if truth else []:
        inside = appearance["from"] - 1 <= at <= appearance["to"] + 1
        if truth and inside and _is_stranger(appearance["who"], truth):
            return lanes.index(appearance["who"])
    return None


def _x(at: float, seconds: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * min(max(at / max(seconds, 1), 0), 1), 1)


def _axis(seconds: float, height: int) -> Iterator[str]:
    step = next((step for step in STEPS if seconds / step <= TICKS), STEPS[-1])
    for tick in range(math.floor(seconds / step) + 1):
        x = _x(tick * step, seconds)
        yield f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{height - 22}"/>'
        label = format_position(tick * step)[:5]
        yield f'<text class="axis" x="{x}" y="{height - 6}" text-anchor="middle">{label}</text>'


def _appearances(truth: Mapping[str, Any], lanes: list[str], seconds: float) -> Iterator[str]:
    for appearance in truth["appearances"]:
        y = TOP + LANE * lanes.index(appearance["who"]) + 6
        shade = "in s" if _is_stranger(appearance["who"], truth) else "in"
        yield _bar(shade, appearance["from"], appearance["to"], y, seconds)
        for begin, end in appearance.get("turned", []):
            yield _bar("turned", begin, end, y, seconds)


def _bar(shade: str, begin: float, end: float, y: int, seconds: float) -> str:
    x = _x(begin, seconds)
    width = round(_x(end, seconds) - x, 1)
    return f'<rect class="{shade}" x="{x}" y="{y}" width="{width}" height="20" rx="4"/>'


def _alerts(
    result: DemoResult, truth: Mapping[str, Any] | None, lanes: list[str], seconds: float
) -> Iterator[str]:
    for alert in result.alerts:
        at = film_position(alert, result.first_capture)
        lane = None if at is None else _lane_of(alert, at, truth, lanes)
        if at is None or lane is None:
            continue
        shade = "alert s" if alert["kind"] == "stranger" else "alert"
        title = html.escape(f"{alert_title(alert)}, {format_position(at)}")
        x, y = _x(at, seconds), TOP + LANE * lane + 16
        yield f'<circle class="{shade}" cx="{x}" cy="{y}" r="6"><title>{title}</title></circle>'
