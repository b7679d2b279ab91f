"""Both engines on a whole film: the same visits, people and strangers, and nothing left."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
VIDEO = "WHOSTHERE_VIDEO"  # the path of a film of real people
TRUTH = json.loads((ROOT / "demo" / "film.json").read_text())
COMPARE_SECONDS = 900

pytestmark = [
    pytest.mark.long,  # each runs a film twice
    pytest.mark.timeout(COMPARE_SECONDS + 60),
]


def compared(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(ROOT / "whosthere"), "compare", "--json", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=COMPARE_SECONDS,
    )
    assert done.stdout, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    assert (content["unequal"], done.returncode) == ([], 0), done.stderr
    return content


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}


def seen(engine: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(visit["kind"], visit["name"]) for visit in engine["visits"]]


def times(engine: dict[str, Any]) -> list[tuple[str, float, float]]:
    """When persons came and left, in the order of names."""
    visits = [one for one in engine["visits"] if one["kind"] == "person"]
    return sorted((one["name"], one["first"], one["last"]) for one in visits)


def test_both_engines_see_who_is_in_the_demos_film(built: Any) -> None:
    engines = compared()["engines"]
    wanted = sorted((one["kind"], one.get("name") or "") for one in TRUTH["alerts"])
    for engine in engines.values():
        assert sorted((kind, name or "") for kind, name in seen(engine)) == wanted
        assert engine["strangers"] == len(TRUTH["strangers"])
        assert engine["latencies"]["capturedToSent"]["of"] == len(wanted)
        assert not any(engine["left"].values())
    images, processor = engines["image-search"], engines["stream-processor"]
    for (_, *one), (_, *other) in zip(times(images), times(processor), strict=True):
        assert one == pytest.approx(other, abs=2.5)  # here faces show for seconds
    # An image that has not changed needs none.
    assert 0 < images["calls"]["rekognition:DetectFaces"] <= images["records"]
    assert "rekognition:DetectFaces" not in processor["calls"]


@pytest.mark.skipif(
    VIDEO not in os.environ, reason=f"{VIDEO} names no film: real people are in no file of this"
)
def test_both_engines_see_the_same_strangers_in_a_real_video(built: Any) -> None:
    engines = compared("--video", os.environ[VIDEO])["engines"]
    assert all(seen(engine) for engine in engines.values())


def test_ctrl_c_ends_both_and_leaves_nothing(built: Any, tmp_path: Path, wait_until: Any) -> None:
    said = tmp_path / "said"
    with said.open("w") as err:
        process = subprocess.Popen(
            [str(ROOT / "whosthere"), "compare", "--json"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "session: " in said.read_text() or process.poll() is not None, 200)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole group
        out, _ = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert (process.returncode, out) == (130, ""), said.read_text()
    assert "nothing is compared" in said.read_text()
    assert "image-search:" not in said.read_text()
    assert "Left behind: 0 stream processors, 0 locks" in said.read_text()
