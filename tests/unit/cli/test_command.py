"""The command line: help, mistakes, and what each verb refuses."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy
import pytest
from PIL import Image

from cli import __main__ as command
from cli.demo import output, scenario, video_source
from cli.errors import InputError
from edge.sources.film import FilmSource

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.jpg"
    Image.new("RGB", (64, 64), "grey").save(path)
    return path


def write_film(path: Path, frames: int, rate: int = 10) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = numpy.zeros((48, 64, 3), dtype=numpy.uint8)
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_help_lists_every_verb_in_its_group() -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"\n  {verb} " in out for verb in command.VERBS)
    assert "\ntry:\n" in out


@pytest.mark.parametrize("verb", command.VERBS)
def test_each_verb_explains_itself_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "")  # which main takes away
    with pytest.raises(SystemExit) as ended:
        command.main([verb, "--help"])
    assert ended.value.code == 0
    assert f"example: ./whosthere {verb}" in capsys.readouterr().out


def test_a_mistyped_verb_is_answered_with_the_nearest_one() -> None:
    assert "did you mean `demo`?" in command.unknown_verb_text("dmeo")


def test_a_verb_that_is_like_no_other_is_answered_with_all() -> None:
    assert all(verb in command.unknown_verb_text("xyzzy") for verb in command.VERBS)


def test_an_unknown_option_is_refused_and_not_ignored() -> None:
    code, _, err = run("demo", "--vidoe", "x.mp4")
    assert code == 2 and "--vidoe" in err


def test_a_person_without_a_film_is_refused_before_anything_starts(photo: Path) -> None:
    code, _, err = run("demo", "--person", f"Zoë={photo}")
    assert code == 1 and "--video" in err


def test_a_film_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"no-such\.mp4: there is no such file"):
        video_source.film_seconds(Path("no-such.mp4"))


def test_what_is_no_film_is_named_with_what_to_do(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a film at all")
    with pytest.raises(InputError, match=r"notes\.mp4: no film.*give --video"):
        video_source.film_seconds(text)


def test_a_picture_is_no_film(photo: Path) -> None:
    with pytest.raises(InputError, match="not a picture"):
        video_source.film_seconds(photo)


def test_a_sound_track_alone_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(numpy.zeros((1, 8000), dtype="int16"), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(InputError, match="no video in this file"):
        video_source.film_seconds(path)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_the_length_of_a_film_is_known(tmp_path: Path, kind: str) -> None:
    path = write_film(tmp_path / f"film.{kind}", frames=20)
    assert video_source.film_seconds(path) == pytest.approx(2, abs=0.15)


def test_the_length_is_read_off_the_frames_where_the_file_does_not_tell_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.m4v", frames=25)  # a bare stream, no container
    assert video_source.film_seconds(path) >= 1


@pytest.mark.parametrize("rate", [10, 25, 30])
def test_a_bare_stream_is_as_long_as_the_edge_plays_it(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "door.h264"  # what rpicam-vid writes: no container, no times
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = numpy.zeros((48, 64, 3), dtype=numpy.uint8)
        for _ in range(80):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = FilmSource(path)
    times = [sample.seconds for sample in source.samples()]
    source.close()
    assert len(times) == 80 and times[-1] == pytest.approx(79 / rate)
    assert video_source.film_seconds(path) == pytest.approx(80 / rate)


def test_photos_of_the_same_person_are_kept_apart(photo: Path) -> None:
    made = scenario.video_scenario(photo, 30, [f"Zoë={photo}", f"Zoë={photo}", f"Al={photo}"])
    assert [one.key for one in made.people["Zoë"]] == ["1.jpg", "2.jpg"]
    assert list(made.people) == ["Zoë", "Al"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("Zoë", "Name=photo.jpg"),
        ("=photo.jpg", "Name=photo.jpg"),
        ("Zoë=", "Name=photo.jpg"),
        ("a/b=photo.jpg", "slash"),
        ("Zoë=nowhere.jpg", "nowhere.jpg: there is no such file"),
        (f"Zoë={__file__}", "not a JPEG or PNG"),
    ],
)
def test_a_person_that_cannot_be_understood_is_refused(given: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        scenario.video_scenario(Path("film.mp4"), 30, [given])


def test_a_session_is_longer_than_its_film(photo: Path) -> None:
    assert scenario.video_scenario(photo, 61, []).minutes > 2


def test_results_never_mix_with_what_lies_in_a_folder_already(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        output.create_folder(tmp_path)


def test_results_are_ignored_by_git(tmp_path: Path) -> None:
    folder = output.create_folder(tmp_path / "new")
    assert (folder / ".gitignore").read_text() == "*\n"


def test_what_test_does_not_know_is_handed_to_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def remember(arguments: argparse.Namespace, _interrupts: Any) -> int:
        seen.update(vars(arguments))
        return 0

    monkeypatch.setattr(command.VERBS["test"], "run", remember)
    monkeypatch.setattr(command.Interrupts, "install", lambda _self: None)
    assert command.main(["test", "--long", "-k", "visit", "tests/unit"]) == 0
    assert seen["long"] is True
    assert seen["more"] == ["-k", "visit", "tests/unit"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], []),
        (["local", "-k", "mkv"], ["local/tests", "-k", "mkv"]),
        (["-k", "local"], ["-k", "local"]),
    ],
)
def test_the_word_local_stands_for_the_emulators_tests(given, wanted, monkeypatch):
    ran = []

    def run(command, **_):
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("cli.commands.test.subprocess.run", run)
    monkeypatch.setattr("cli.commands.test.drop_aws_settings", lambda: {})
    assert command.main(["test", *given]) == 0
    assert ran[0][ran[0].index("--no-loadscope-reorder") + 1 :] == wanted
