"""What the demo makes of a run: comparing with the film's truth, the page, the report."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from cli.demo import leaks, report
from cli.demo.page import render_page
from cli.demo.result import DemoResult, film_position, find_differences, latency

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRUTH: dict[str, Any] = {
    "people": {"Zoë": ["people/Zoë/1.jpg"], "Ravi": ["people/Ravi/1.jpg"]},
    "appearances": [
        {"who": "Zoë", "from": 3, "to": 12, "turned": [[8, 10]]},
        {"who": "stranger-1", "from": 14, "to": 20},
    ],
    "alerts": [
        {"kind": "person", "name": "Zoë", "between": [3, 7]},
        {"kind": "stranger", "who": "stranger-1", "between": [14, 18]},
    ],
    "strangers": [{"who": "stranger-1"}],
}
LEFT: dict[str, list[Any]] = {name: [] for name in report.LEAK_NAMES}


def at(seconds: float) -> str:
    moment = BEGIN + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(kind: str, name: str, seconds: float, message: str = "seen") -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "camera": "front-door",
        "visit": f"{name}-{seconds}",
        "similarity": 97.25 if kind == "person" else None,
        "captured": at(seconds),
        "recognised": at(seconds + 1),
        "sent": at(seconds + 1.25),
        "message": message,
    }


def stranger(number: int) -> dict[str, Any]:
    return {
        "id": f"s-{number}",
        "camera": "front-door",
        "sightings": 9,
        "first_seen": at(14),
        "last_seen": at(20),
        "picture": f"strangers/s-{number}.jpg",
    }


def outcome(alerts: list[dict[str, Any]], strangers: int = 1) -> DemoResult:
    return DemoResult(
        session={
            "id": "demo-1",
            "camera": "front-door",
            "engine": "stream-processor",
            "status": "SUCCEEDED",
            "ended_by": "stop",
            "seconds": 30.5,
        },
        alerts=alerts,
        notices=[],
        strangers=[stranger(number) for number in range(strangers)],
        pictures={f"s-{number}": b"\xff\xd8jpeg" for number in range(strangers)},
        records=44,
        first_capture=BEGIN,
    )


RIGHT = [alert("person", "Zoë", 4), alert("stranger", "s-0", 15)]


def test_a_run_as_the_film_says_has_no_differences() -> None:
    assert find_differences(outcome(RIGHT), TRUTH) == []


@pytest.mark.parametrize(
    ("alerts", "strangers", "told"),
    [
        (RIGHT[:1], 1, "no alert about a stranger between 14 and 18 s"),
        (RIGHT[1:], 1, "no alert about Zoë between 3 and 7 s"),
        ([*RIGHT, alert("person", "Zoë", 6)], 1, "an alert too many: Zoë at 6.0 s"),
        ([alert("person", "Ravi", 4), RIGHT[1]], 1, "an alert too many: Ravi at 4.0 s"),
        ([alert("person", "Zoë", 9), RIGHT[1]], 1, "an alert too many: Zoë at 9.0 s"),
        (RIGHT, 2, "2 strangers in the review queue instead of 1"),
        (RIGHT, 0, "0 strangers in the review queue instead of 1"),
    ],
)
def test_each_way_to_be_wrong_is_told(
    alerts: list[dict[str, Any]], strangers: int, told: str
) -> None:
    assert told in "\n".join(find_differences(outcome(alerts, strangers), TRUTH))


def test_latency_runs_from_capture_to_sending() -> None:
    assert latency(RIGHT[0]) == pytest.approx(1.25)
    assert film_position(RIGHT[0], BEGIN) == pytest.approx(4)


def test_who_is_on_the_first_picture_is_seen_at_the_beginning_of_the_film() -> None:
    # which stands on it for minutes, until the session runs
    at = film_position(RIGHT[0], BEGIN + timedelta(minutes=2))
    assert report.format_position(at) == "00:00.0"


def test_the_report_tells_when_who_how_sure_and_how_late() -> None:
    text = "\n".join([*report.summary_lines(outcome(RIGHT)), report.leaks_line(LEFT)])
    assert re.search(r"00:04\.0\s+Zoë\s+97\.2 %\s+1\.2 s after", text)
    assert "0 stream processors, 0 locks" in text


UNSURE = {
    "name": "Zoë",
    "who": "p-1",
    "sightings": 38,
    "similarity": 89.97,
    "needsPhoto": True,
}


def test_summary_and_page_tell_whom_unsure_faces_resemble_and_what_helps() -> None:
    result = replace(outcome(RIGHT), unsure=[UNSURE, UNSURE | {"name": "<b>", "needsPhoto": False}])
    text = "\n".join(report.summary_lines(result))
    assert "\n  38 unsure sightings, most like Zoë (89 %): a second photo helps\n" in text
    assert "\n  38 unsure sightings, most like <b> (89 %)\n" in text
    page = render_page(result, {"left": LEFT}, seconds=30, truth=TRUTH, wrong=[])
    assert "<p>38 unsure sightings, most like Zoë (89 %): a second photo helps.</p>" in page
    assert "most like &lt;b&gt; (89 %).</p>" in page
    assert "unsure" not in shown(RIGHT)


def test_an_alert_about_somebody_probable_says_so_and_is_not_what_the_film_says() -> None:
    alerts = [RIGHT[0] | {"probably": True}, RIGHT[1]]
    text = "\n".join(report.summary_lines(outcome(alerts)))
    assert re.search(r"00:04\.0\s+probably Zoë\s+97\.2 %", text)
    assert "probably Zoë" in shown(alerts)
    assert shown(alerts).count("<circle") == 2
    assert find_differences(outcome(alerts), TRUTH) == [
        "no alert about Zoë between 3 and 7 s of the film",
        "an alert too many: probably Zoë at 4.0 s of the film",
    ]


def test_what_is_left_is_named() -> None:
    assert "whosthere-front-door-1" in report.leaks_line(
        LEFT | {"processors": ["whosthere-front-door-1"]}
    )


class Links(HTMLParser):
    """Collects what a browser would load, and checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        if tag == "img":
            self.images.append(found)


def shown(alerts: list[dict[str, Any]], truth: dict[str, Any] | None = TRUTH) -> str:
    content = {"left": LEFT, "alerts": alerts}
    return render_page(outcome(alerts), content, seconds=30, truth=truth, wrong=[])


def test_the_page_loads_nothing_from_anywhere() -> None:
    links = Links()
    links.feed(shown(RIGHT))
    assert links.loaded and all(link.startswith("data:image/jpeg;base64,") for link in links.loaded)
    assert "url(" not in shown(RIGHT) and "@import" not in shown(RIGHT)


def test_every_picture_on_the_page_has_a_text() -> None:
    links = Links()
    links.feed(shown(RIGHT))
    assert len(links.images) == 1
    assert all(image["alt"] for image in links.images)


def test_a_name_cannot_smuggle_markup_into_the_page() -> None:
    nasty = "<script>alert(1)</script>"
    content = shown([alert("person", nasty, 4, message=nasty)], truth=None)
    assert "<script" not in content
    assert "&lt;script&gt;" in content


@pytest.mark.parametrize("truth", [TRUTH, None])
def test_the_timeline_has_a_dot_for_every_alert(truth: dict[str, Any] | None) -> None:
    assert shown(RIGHT, truth).count("<circle") == len(RIGHT)


def test_the_page_of_a_run_without_anybody_says_so() -> None:
    empty = DemoResult(outcome([]).session, [], [], [], {}, 0, None)
    content = render_page(empty, {"left": LEFT}, seconds=30, truth=None, wrong=[])
    assert "Nobody new." in content


def test_the_report_is_on_the_page_as_json() -> None:
    assert json.dumps("s-0") in shown(RIGHT).replace("&quot;", '"')


def test_leftovers_of_a_laptop_are_asked_for_until_they_are_gone() -> None:
    class Ending:
        asked = 0

        def processes(self) -> list[Any]:
            self.asked += 1
            return [] if self.asked > 1 else [type("P", (), {"pid": 7, "command": "worker"})()]

        def ports(self) -> list[int]:
            return []

    assert leaks.laptop_leaks(Ending()) == {"processes": [], "ports": []}  # type: ignore[arg-type]
