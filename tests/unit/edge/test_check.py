"""The verbs `check` and `snapshot`: what a camera needs, and what it sees."""

import stat

import av
import numpy as np
import pytest

from edge.__main__ import main
from edge.commands.snapshot import take_picture
from edge.errors import SourceError
from edge.sources import barcode
from edge.tagging.explain import encode_jpeg
from edge.upload import clock_skew
from local.tests.support.media.films import draw
from tests.support.edge import fake_kvs
from tests.support.edge.capture import config_of
from tests.support.edge.h264 import hevc_stream, stream, write


@pytest.fixture
def service(monkeypatch, tmp_path):
    with fake_kvs.running() as service:
        nowhere = str(tmp_path / "none")
        for name, value in {
            "AWS_ENDPOINT_URL": service.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        yield service


@pytest.fixture
def film(tmp_path):
    return draw(tmp_path / "film.mp4", frames=2)


@pytest.fixture
def mask(tmp_path):
    """Make a mask that is black in its left half."""
    picture = np.full((48, 64), 255, np.uint8)
    picture[:, :32] = 0
    path = tmp_path / "mask.jpg"
    path.write_bytes(encode_jpeg(av.VideoFrame.from_ndarray(picture, format="gray8")))
    return path


def checked(capsys, *arguments):
    code = main(["check", "--camera", "front-door", *map(str, arguments)])
    lines = capsys.readouterr().out.splitlines()
    return code, {line.split()[1]: (line.split()[0], line[16:]) for line in lines}


def test_each_part_is_tried_and_nothing_is_sent(service, film, mask, capsys):
    code, parts = checked(capsys, "--source", film, "--mask", mask)
    assert code == 0
    assert parts == {
        "source": ("ok", f"{film} at 64x48"),
        "mask": ("ok", f"{mask}: motion counts in 50% of the picture"),
        "keys": ("ok", "from the usual AWS chain"),
        "stream": ("ok", "whosthere-front-door in us-east-1 keeps video for 24 h"),
        "clock": ("note", "the service did not say what time it is"),
    }
    assert service.calls == ["/describeStream"]


def test_what_fails_is_said_with_its_reason_and_the_rest_is_tried(service, tmp_path, capsys):
    missing = tmp_path / "none.png"
    code, parts = checked(capsys, "--source", tmp_path / "absent.mp4", "--mask", missing)
    assert code == 2
    assert parts["source"][0] == parts["mask"][0] == "FAILED"
    assert "There is no file" in parts["source"][1]
    assert "is no picture" in parts["mask"][1]
    assert parts["stream"][0] == "ok"


def test_without_keys_the_stream_is_not_asked_for(service, film, capsys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    code, parts = checked(capsys, "--source", film)
    assert code == 3
    assert parts["keys"][0] == "FAILED"
    assert "No AWS credentials found" in parts["keys"][1]
    assert service.calls == []


def test_keys_that_a_program_should_give_and_does_not_are_an_error(
    service, film, capsys, monkeypatch, tmp_path
):
    (tmp_path / "config").write_text("[profile broken]\ncredential_process = /bin/false\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "broken")
    code, parts = checked(capsys, "--source", film)
    assert (code, parts["keys"][0]) == (4, "FAILED")


def test_a_stream_that_is_not_there_is_said(service, film, capsys):
    body = {"message": "no stream"}
    service.failures["/describeStream"] = (404, body, "ResourceNotFoundException")
    code, parts = checked(capsys, "--source", film)
    assert (code, parts["stream"][0]) == (3, "FAILED")
    assert "Deploy the stack with this camera" in parts["stream"][1]
    assert "clock" not in parts


@pytest.mark.parametrize(("skew_s", "mark", "words"), [(0.0, "ok", "agrees"), (7.0, "note", "7 s")])
def test_the_clock_is_compared(service, film, capsys, monkeypatch, skew_s, mark, words):
    monkeypatch.setattr(clock_skew, "clock_skew_s", lambda *_: skew_s)
    code, parts = checked(capsys, "--source", film)
    assert (code, parts["clock"][0]) == (0, mark)
    assert words in parts["clock"][1]


@pytest.mark.parametrize("make", [stream, hevc_stream])
def test_a_snapshot_shows_what_the_source_gives(tmp_path, capsys, make):
    source = tmp_path / ("film.hevc" if make is hevc_stream else "film.h264")
    write(source, make(5, size=(320, 192)), is_annex_b=True)
    picture = tmp_path / "seen.jpg"
    picture.touch(mode=0o644)
    assert main(["snapshot", str(picture), "--camera", "gate", "--source", str(source)]) == 0
    assert capsys.readouterr().out == f"{picture}: {source} at 320x192\n"
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    with av.open(str(picture)) as opened:
        (image,) = opened.decode(video=0)
    assert barcode.read_number(image) == 0


def test_a_snapshot_that_cannot_be_made_says_why(tmp_path, capsys):
    given = ["--camera", "gate", "--source", "test", "--size", "64x48"]
    assert main(["snapshot", str(tmp_path / "no" / "seen.jpg"), *given]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    absent = str(tmp_path / "absent.mp4")
    assert main(["snapshot", str(tmp_path / "seen.jpg"), *given[:2], "--source", absent]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_a_source_without_a_picture_is_an_error(tmp_path):
    with pytest.raises(SourceError):
        take_picture(config_of(tmp_path / "absent.mp4"))
