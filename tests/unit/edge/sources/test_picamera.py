"""The Pi's camera module, with a fake of the program that reads it."""

import threading
import time
from itertools import pairwise

import pytest

from edge.capture.pipeline import CapturePipeline
from edge.errors import SourceError, SourceLostError
from edge.sources import annex_b, barcode, open_source
from edge.sources.picamera import PiCameraSource
from tests.support.edge.capture import RecordingLog, RecordingSink, config_of
from tests.support.edge.h264 import good, sent_units, stream, units_of
from tests.support.edge.rpicam import NO_CAMERAS, OLD_HELP, Rpicam

OPTIONS = ("--tag", "never", "--rate", "20", "--size", "160x96")


@pytest.fixture(scope="module")
def packets():
    return good(40, rate=20, group=20)  # whole groups, also when it is played again


@pytest.fixture
def rpicam(tmp_path, monkeypatch):
    stand_in = Rpicam(tmp_path / "rpicam")
    monkeypatch.setenv("PATH", stand_in.install())
    return stand_in


def captured(source, kept=None):
    kept, said = kept or RecordingSink(), RecordingLog()
    with source:
        run = CapturePipeline(
            config_of("picamera", *OPTIONS), source, kept, said, threading.Event()
        )
        with pytest.raises(SourceLostError) as lost:
            run.run()
    return kept, said, str(lost.value)


def frames_of(kept):
    return [frame for fragment in kept.fragments for frame in fragment.frames]


def open_camera(stall_s=5):
    return PiCameraSource(config_of("picamera", *OPTIONS), threading.Event(), stall_s)


def test_what_never_becomes_a_frame_fills_no_memory_and_frames_behind_it_are_found(packets):
    frames, data = annex_b.AccessUnitParser(), b"".join(bytes(packet) for packet in packets)
    for _ in range(40):
        assert frames.feed(bytes([1]) * 1_000_000, 0.0) == []
    assert len(frames._data) <= annex_b.LONGEST_FRAME
    frames.feed(bytes([1]) * annex_b.LONGEST_FRAME, 0.0)
    given = frames.feed(data, 1.0) + frames.flush()
    # The first start code may have lost its leading zero; nothing else is missing.
    assert b"".join(frame.data for frame in given).lstrip(b"\0") == data.lstrip(b"\0")
    assert len(given) == len(packets)


def test_what_the_program_writes_is_passed_on_byte_for_byte_as_it_comes(rpicam, packets):
    rpicam.plan(packets)
    kept, said, _ = captured(open_camera())
    frames = frames_of(kept)
    assert sent_units(frames) == units_of(packets)[: len(frames)]
    assert len(packets) - 1 <= len(frames)
    assert said.lines == []
    assert [len(f.frames) for f in kept.fragments][0] == 20
    steps = [b.at_ms - a.at_ms for a, b in pairwise(frames)]
    assert 40 <= sum(steps) / len(steps) <= 70


def test_it_is_asked_for_a_key_frame_each_second_in_line_headers_and_no_preview(rpicam, packets):
    rpicam.plan(packets[:2])
    captured(open_camera())
    (options,) = rpicam.starts
    text = " ".join(options)
    for wanted in (
        *("--codec h264", "--inline", "--nopreview", "--flush", "--timeout 0", "--intra 20"),
        *("--width 160", "--height 96", "--framerate 20", "--output -"),
        *("--low-latency", "--libav-format h264"),
    ):
        assert wanted in text


def test_the_second_module_is_turned_and_focused_as_asked_for(rpicam, packets):
    rpicam.plan(packets[:2])
    options = ("--rotate", "180", "--hflip", "--vflip", "--autofocus", "continuous")
    more = ("--rpicam-options=--awb=indoor", "--rpicam-options=--bitrate=1")
    config = config_of("picamera:1", *OPTIONS, *options, *more)
    captured(open_source(config, threading.Event()))
    (given,) = rpicam.starts
    text = " ".join(given)
    for wanted in (
        *("--camera 1", "--rotation 180", "--hflip", "--vflip", "--autofocus-mode continuous"),
    ):
        assert wanted in text
    assert given[-2:] == ["--awb=indoor", "--bitrate=1"], "the owner's options count last"
    with pytest.raises(SourceError, match="the second is picamera:1"):
        open_source(config_of("picamera:one"), threading.Event())


def test_an_older_program_is_found_by_its_name_and_not_asked_for_what_it_does_not_know(
    tmp_path, monkeypatch, packets
):
    older = Rpicam(tmp_path / "older")
    monkeypatch.setenv("PATH", older.install("libcamera-vid"))
    older.plan(packets[:3], help=OLD_HELP)
    _, _, lost = captured(open_camera())
    assert lost.startswith("libcamera-vid ended")
    assert "--low-latency" not in older.starts[0]


def test_a_program_that_dies_is_told_of_with_what_it_said(rpicam, packets):
    rpicam.plan(packets[:25], code=255, complaint="ERROR: *** no cameras available ***\n")
    kept, _, lost = captured(open_camera())
    assert lost == (
        "rpicam-vid ended (exit code 255). It said: ERROR: *** no cameras available ***"
    )
    assert len(frames_of(kept)) >= 24
    assert kept.fragments[-1].is_wanted is not None


def test_a_program_that_stalls_is_noticed_and_ended(rpicam, packets, wait_until):
    rpicam.plan(packets[:25], stalls=True)
    kept, _, lost = captured(open_camera(stall_s=3))  # its start also has to be within that
    assert lost.startswith("The camera module gave no frame for 3 s.")
    wait_until(lambda: not rpicam.is_running)
    # The pause told that the last frame was whole.
    assert len(frames_of(kept)) == 25


def test_unplugged_and_back_it_goes_on_with_a_new_start(rpicam, packets):
    rpicam.plan(packets[:25], code=1)
    kept = RecordingSink()
    captured(open_camera(), kept)
    captured(open_camera(), kept)
    assert len(rpicam.starts) == 2
    assert len(frames_of(kept)) >= 48


def test_a_pipe_that_is_flushed_by_size_tears_no_frame(rpicam):
    packets = good(12, rate=20, group=3)
    rpicam.plan(packets, piece=700, rate=5)
    kept, said, _ = captured(open_camera())
    assert said.lines == []
    frames = frames_of(kept)
    assert len(frames) >= 11
    assert sent_units(frames) == units_of(packets)[: len(frames)]


def test_b_frames_of_a_software_encoder_are_encoded_anew(rpicam):
    rpicam.plan(stream(30, rate=20, bf=1))
    kept, said, _ = captured(open_camera())
    assert said.lines == ["The source is encoded again, because it has B-frames."]
    numbers = [barcode.read_number(image) for f in kept.fragments for image in f.images()]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 25


def test_told_to_stop_it_ends_its_fragment_and_the_program(rpicam, packets, wait_until):
    rpicam.plan(packets, loops=True, frames=10_000)
    stop, kept = threading.Event(), RecordingSink()
    with PiCameraSource(config_of("picamera", *OPTIONS), stop) as source:
        threading.Timer(1.5, stop.set).start()
        CapturePipeline(config_of("picamera", *OPTIONS), source, kept, RecordingLog(), stop).run()
    assert all(len(fragment.frames) >= 20 for fragment in kept.fragments)
    wait_until(lambda: not rpicam.is_running)


def test_the_camera_module_is_the_default_where_one_answers(rpicam, packets):
    rpicam.plan(packets)
    with open_source(config_of(""), threading.Event()) as source:
        assert isinstance(source, PiCameraSource)
    rpicam.plan(packets, cameras=NO_CAMERAS)
    with pytest.raises(SourceError, match="No camera module answers here. Give --source"):
        open_source(config_of(""), threading.Event())


def test_without_the_program_the_default_and_the_name_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="Give --source"):
        open_source(config_of(""), threading.Event())
    with pytest.raises(SourceError, match="apt install rpicam-apps-lite"):
        open_source(config_of("picamera"), threading.Event())


def test_a_program_that_writes_nothing_is_noticed(rpicam):
    rpicam.plan([], stalls=True, complaint="")
    begun = time.monotonic()
    kept, _, lost = captured(open_camera(stall_s=1))
    assert (kept.fragments, time.monotonic() - begun < 10) == ([], True)
    assert "gave no frame" in lost
