"""What `./whosthere compare` makes of two runs, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cli import __main__ as command
from cli.commands import compare
from cli.demo.comparison import ALLOWED, comparison_rows, find_unequal
from cli.demo.photos import read_people
from cli.demo.report import LEAK_NAMES
from cli.demo.result import DemoResult, SeenVisit
from cli.demo.runner import FinishedDemo
from cli.errors import InputError
from cli.interrupts import Interrupts

ZOE = SeenVisit("person", "Zoë", 1.6, 8.4, 20, 99.1)
SOMEBODY = SeenVisit("stranger", None, 16.2, 21.0, 9, 0.0)
CALLS = {"rekognition:DetectFaces": 30, "rekognition:SearchFacesByImage": 12, "sns:Publish": 2}
REPORT = {
    "engine": "image-search",
    "running": "2026-01-02T03:00:00.000Z",
    "ended": "2026-01-02T03:02:30.000Z",
    "latencies": {"capturedToSent": {"p50": 1240, "p95": 3100, "of": 2}},
    "calls": CALLS,
    "cost": {"dollars": 0.042, "without": []},
}


def run_of(engine: str, *visits: SeenVisit, strangers: int = 1) -> DemoResult:
    return DemoResult(
        session={"id": "demo-1", "engine": engine},
        alerts=[],
        notices=[],
        strangers=[{"id": f"s-{number}"} for number in range(strangers)],
        pictures={},
        records=44,
        first_capture=None,
        report=REPORT | {"engine": engine},
        visits=list(visits),
    )


ONE = run_of("stream-processor", ZOE, SOMEBODY)
LATER = [replace(ZOE, first=3.5, sightings=4, similarity=97.0), replace(SOMEBODY, last=19.1)]


def test_visits_of_the_same_people_at_about_the_same_time_are_the_same() -> None:
    assert find_unequal(ONE, run_of("image-search", *LATER)) == []


@pytest.mark.parametrize(
    ("visits", "strangers", "told"),
    [
        ([ZOE], 1, ["only stream-processor saw a stranger from 16.2 to 21.0 s"]),
        ([ZOE, SOMEBODY], 2, ["strangers to review: 1 by stream-processor, 2 by image-search"]),
        ([ZOE, ZOE, SOMEBODY], 1, ["only image-search saw Zoë from 1.6 to 8.4 s"]),
        (
            [replace(ZOE, name="Ravi"), SOMEBODY],
            1,
            [
                "only stream-processor saw Zoë from 1.6 to 8.4 s",
                "only image-search saw Ravi from 1.6 to 8.4 s",
            ],
        ),
        (
            [replace(ZOE, first=10.5, last=12.0), SOMEBODY],
            1,
            [
                "only stream-processor saw Zoë from 1.6 to 8.4 s",
                "only image-search saw Zoë from 10.5 to 12.0 s",
            ],
        ),
    ],
)
def test_what_may_not_differ_is_named(
    visits: list[SeenVisit], strangers: int, told: list[str]
) -> None:
    assert find_unequal(ONE, run_of("image-search", *visits, strangers=strangers)) == told


def test_both_engines_stand_side_by_side() -> None:
    second = run_of("image-search", LATER[0])
    unpriced = {"dollars": 0.042, "without": ["image generation, GetImages"]}
    runs = [ONE, replace(second, report=second.report | {"cost": unpriced})]
    rows = {row[0]: row[1:] for row in comparison_rows(runs)}
    assert rows[""] == ("stream-processor", "image-search")
    assert rows["Zoë"] == (
        "1.6 to 8.4 s, 20 sightings, 99.1 %",
        "3.5 to 8.4 s, 4 sightings, 97.0 %",
    )
    assert rows["a stranger"] == ("16.2 to 21.0 s, 9 sightings", "-")
    assert rows["captured to alert, p95"] == ("3.1 s", "3.1 s")
    assert rows["rekognition:DetectFaces"] == ("30", "30")
    lacks = ", without image generation, GetImages"
    assert rows["price on AWS"] == ("$0.042", f"$0.042{lacks}")
    assert rows["all API calls"] == ("44", "44")


class Runner:
    """Runs what a test says instead of a film; `asked` is a Ctrl-C during a run."""

    asked, second, engines = False, LATER, list[str]()

    def __init__(self, config: Any, _progress: Any, interrupts: Interrupts) -> None:
        self._engine, self._interrupts = config.engine, interrupts

    def run(self) -> FinishedDemo:
        Runner.engines.append(self._engine)
        visits = [ZOE, SOMEBODY] if len(Runner.engines) == 1 else Runner.second
        self._interrupts.asked = Runner.asked
        left: dict[str, list[str]] = {name: [] for name in LEAK_NAMES}
        result = run_of(self._engine, *visits)
        return FinishedDemo(result, [], {"left": left}, Runner.asked)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> type[Runner]:
    monkeypatch.setattr(Runner, "engines", [])
    monkeypatch.setattr(compare, "DemoRunner", Runner)
    monkeypatch.setattr(compare, "drop_aws_settings", dict)
    monkeypatch.setattr(command.Interrupts, "install", lambda _self: None)
    monkeypatch.setenv("PYTHONPATH", "")  # which main takes away
    return Runner


def test_the_json_has_both_engines_and_why_they_may_differ(
    runner: type[Runner], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["compare", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert runner.engines == list(content["engines"]) == ["stream-processor", "image-search"]
    assert content["unequal"] == []
    assert [one["what"] for one in content["allowed"]] == [one.what for one in ALLOWED]
    assert content["engines"]["image-search"]["visits"][0]["first"] == 3.5


def test_engines_that_see_different_visits_fail(
    runner: type[Runner],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(runner, "second", [SOMEBODY])
    assert command.main(["compare"]) == 1
    assert "only stream-processor saw Zoë" in capsys.readouterr().out


def test_ctrl_c_ends_it_after_the_engine_that_runs(
    runner: type[Runner],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(runner, "asked", True)
    assert command.main(["compare"]) == 130
    assert runner.engines == ["stream-processor"]
    assert "nothing is compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--video", "no-such.mp4"], "no-such.mp4: there is no such file"),
        (["--video", __file__], "no film that can be decoded"),
        (["--people", "."], "--people goes with --video"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(
    runner: type[Runner], capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert command.main(["compare", *arguments]) == 1
    assert told in capsys.readouterr().err
    assert runner.engines == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "nobody is in it"),
        (["Zoë/notes.txt"], "nobody is in it"),
        (["Zoë/1.jpg"], "No photo of Zoë can be used"),
    ],
)
def test_a_folder_without_usable_photos_is_refused(
    tmp_path: Path, files: list[str], told: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no picture")
    with pytest.raises(InputError, match=told):
        read_people(tmp_path)
    with pytest.raises(InputError, match="there is no such folder"):
        read_people(tmp_path / "other")


def test_people_are_the_folders_of_photos(tmp_path: Path) -> None:
    for name in ("Zoë", "Ravi"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (80, 80), "grey").save(tmp_path / name / "1.jpg")
    (tmp_path / "Ravi" / "notes.txt").write_text("not a photo")
    people = read_people(tmp_path)
    assert {name: [photo.key for photo in own] for name, own in people.items()} == {
        "Zoë": ["1.jpg"],
        "Ravi": ["1.jpg"],
    }
