"""The verbs `status` and `cameras`, and `--print-pipeline`."""

import json
import shlex
import struct
import subprocess
import sys
import time

import pytest

from edge.__main__ import main
from edge.commands import cameras
from edge.commands.cameras import Camera, find_cameras
from edge.commands.gstreamer_pipeline import gstreamer_pipeline
from edge.config import parse
from edge.monitor import show_status, status
from edge.monitor.status import Status
from edge.sources.v4l2_ioctl import QUERYCAP


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Write a camera's status file where `status` looks for it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def write(camera, now=None, **facts):
        folder = tmp_path / "whosthere-edge" / camera
        folder.mkdir(parents=True, exist_ok=True)
        status.write(folder / status.FILE_NAME, Status(**facts))
        if now is not None:
            content = status.read(folder / status.FILE_NAME) | {"at": now}
            (folder / status.FILE_NAME).write_text(json.dumps(content))

    return write


def test_status_tells_of_each_camera_and_is_0_when_all_are_healthy(state, capsys):
    state("gate", captured=100, sent=10, acknowledged=9, buffered=1, buffered_bytes=2_500_000)
    state(
        "garage",
        video="HEVC encoded to H.264 at 1280x720",
        cpu_percent=37.6,
        dropped={"disk full": 3},
        last_error="no ack for 30 s",
        last_error_at=time.time() - 130,
    )
    assert main(["status"]) == 0
    garage, gate = capsys.readouterr().out.splitlines()
    assert gate.startswith("gate: healthy; 100 frames captured, 10 fragments sent, 9 acknowledged")
    assert "1 buffered (2.5 MB)" in gate
    assert "HEVC encoded to H.264 at 1280x720, 38 % of a core" in garage
    assert "3 dropped (disk full)" in garage
    assert "last error 2 min ago: no ack for 30 s" in garage


def test_status_is_1_when_one_is_not_healthy_or_does_not_run(state, capsys):
    state("gate", is_healthy=False)
    assert show_status.main([]) == 1
    assert "NOT healthy" in capsys.readouterr().out
    state("gate", now=time.time() - 3600)
    assert show_status.main(["--json"]) == 1
    told = json.loads(capsys.readouterr().out)["gate"]
    assert told["runs"] is False
    assert told["age_s"] >= 3600


def test_who_has_ended_or_was_killed_just_now_does_not_run(state, capsys, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(status.os, "getpid", lambda: ended.pid)
    state("gate")
    assert show_status.main([]) == 1
    assert "gate: not running, last status 0 s ago" in capsys.readouterr().out


def test_status_of_one_camera_leaves_the_others_out(state, capsys):
    state("gate")
    state("garage", is_healthy=False)
    assert show_status.main(["--camera", "gate"]) == 0
    assert "garage" not in capsys.readouterr().out


def test_status_where_no_camera_has_run_is_2(tmp_path, capsys):
    assert show_status.main(["--buffer-folder", str(tmp_path)]) == 2
    assert "no camera has run here" in capsys.readouterr().err


def capability(driver, card, able):
    """Make a v4l2_capability with the device's own capabilities in `device_caps`."""
    head = driver.encode().ljust(16, b"\0") + card.encode().ljust(32, b"\0") + bytes(32)
    return head + struct.pack("=III", 0, 0x8000_0000 | able, able) + bytes(12)


def test_cameras_are_those_that_give_pictures_to_look_at(tmp_path, monkeypatch):
    monkeypatch.setattr(cameras, "module_numbers", lambda: [0, 1])
    nodes = {
        "video0": capability("uvcvideo", "HD Webcam", 0x1),
        "video1": capability("uvcvideo", "HD Webcam", 0x0080_0000),
        "video2": capability("rp1-cfe", "rp1-cfe-csi2_ch0", 0x1),
        "video10": capability("bcm2835-codec", "decoder", 0x8000),
        "video11": capability("uvcvideo", "Second", 0x1),
    }
    handles = {}
    for name in nodes:
        (tmp_path / name).touch()

    def opened(path, _flags):
        handles[len(handles) + 1000] = path.name
        return len(handles) + 999

    monkeypatch.setattr(cameras.os, "open", opened)
    monkeypatch.setattr(cameras.os, "close", lambda handle: None)

    def ioctl(handle, request, answer):
        if request != QUERYCAP:
            raise OSError(22, "no more")
        answer[:] = nodes[handles[handle]]
        return 0

    assert find_cameras(tmp_path, ioctl) == [
        Camera("picamera", "the Pi's camera module"),
        Camera("picamera:1", "the Pi's camera module"),
        Camera(str(tmp_path / "video0"), "HD Webcam"),
        Camera(str(tmp_path / "video11"), "Second"),
    ]


def test_without_a_camera_the_alternatives_are_named(monkeypatch, capsys):
    monkeypatch.setattr(cameras, "find_cameras", lambda: [])
    assert main(["cameras"]) == 1
    assert "rtsp://HOST/PATH" in capsys.readouterr().err


def test_an_unknown_verb_is_named_with_those_there_are(capsys):
    assert main(["stream"]) == 2
    assert "whosthere-edge cameras" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "begins"),
    [
        ("picamera", "libcamerasrc"),
        ("/dev/video0", "v4l2src do-timestamp=true device=/dev/video0"),
        ("a film.mp4", "filesrc location='a film.mp4'"),
        ("test", "videotestsrc is-live=true"),
    ],
)
def test_the_pipeline_encodes_groups_of_one_second(source, begins):
    text = gstreamer_pipeline(parse(["--camera", "gate", "--source", source, "--rate", "15"]))
    assert text.startswith(f"gst-launch-1.0 -e {begins}")
    assert "framerate=15/1" in text
    assert "key-int-max=15" in text
    assert "bframes=0" in text
    assert "kvssink stream-name=whosthere-gate allow-create-stream=false" in text


def test_the_pipeline_flips_the_camera_module_as_asked_for():
    text = gstreamer_pipeline(parse(["--camera", "gate", "--rotate", "180", "--hflip"]))
    assert "videoflip method=rotate-180 ! " in text.replace("\\\n", "")
    assert "videoflip method=horizontal-flip" in text
    assert "vertical" not in text


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (["--source", "picamera:1"], "camera-name="),
        (["--autofocus", "continuous"], "--autofocus"),
        (["--rpicam-options=--awb=indoor"], "--rpicam-options"),
        (["--source", "picamera:0"], ""),
        ([], ""),
    ],
)
def test_what_the_pipeline_lacks_of_the_camera_module_is_said(options, note, capsys):
    assert main(["--camera", "gate", *options, "--print-pipeline"]) == 0
    said = capsys.readouterr().err
    assert note in said and bool(said) == bool(note)


def test_the_pipeline_has_the_very_rate_that_was_asked_for():
    text = gstreamer_pipeline(parse(["--camera", "gate", "--source", "test", "--rate", "7.5"]))
    assert "framerate=15/2" in text
    assert "key-int-max=8" in text


def test_the_pipeline_of_a_paired_network_camera_holds_no_password_and_no_key(tmp_path, capsys):
    path = tmp_path / "settings.toml"
    path.touch(mode=0o600)
    path.write_text(
        'camera = "gate"\nregion = "eu-west-1"\nsource = "rtsp://zoe:hush@camera.lan/a?token=x"\n'
        '[identity]\nthing = "whosthere-gate"\nrole-alias = "whosthere-camera"\n'
        'credential-endpoint = "c1.credentials.iot.eu-west-1.amazonaws.com"\n'
        'certificate = "certificate.pem"\nkey = "private.key"\n'
    )
    text = gstreamer_pipeline(parse(["--settings", str(path)]))
    assert main(["--settings", str(path), "--print-pipeline"]) == 0
    printed = capsys.readouterr()
    assert printed.out == text + "\n"
    assert "user-pw" in printed.err
    assert "hush" not in text + printed.err
    assert "rtspsrc location=rtsp://camera.lan/a user-id=zoe ! " in text
    assert "x264enc" not in text
    words = shlex.split(text.replace("\\\n", " "))
    (certificate,) = [word for word in words if word.startswith("iot-certificate=")]
    fields = dict(part.split("=", 1) for part in certificate.split(",")[1:])
    assert fields == {
        "endpoint": '(string)"c1.credentials.iot.eu-west-1.amazonaws.com"',
        "cert-path": f'(string)"{tmp_path / "certificate.pem"}"',
        "key-path": f'(string)"{tmp_path / "private.key"}"',
        "ca-path": '(string)"/etc/ssl/certs/ca-certificates.crt"',
        "role-aliases": '(string)"whosthere-camera"',
        "iot-thing-name": '(string)"whosthere-gate"',
    }
    assert "aws-region=eu-west-1" in words
