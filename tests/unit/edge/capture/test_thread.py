"""The capture thread: a camera that is unplugged, a clock that is set, a film without a pace."""

import errno
import io
import threading
import time
from pathlib import Path

import pytest

import edge.run
from edge import supervisor
from edge.buffer.buffer import FragmentBuffer
from edge.capture import thread
from edge.capture.thread import CaptureThread
from edge.config import parse
from edge.errors import SourceError, SourceLostError
from edge.monitor.event_log import EventLog
from edge.sources.pattern import PatternSource
from edge.timeouts import Timeouts
from edge.upload.clock_skew import ClockStepDetector
from local.tests.support.media.films import draw
from tests.support.edge import fake_kvs

LIMIT_S = 60
OPTIONS = ["--camera", "front-door", "--source", "test", "--size", "64x48", "--tag", "never"]


def wait_for(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.01)


class Unplugged(PatternSource):
    """A camera that is unplugged after so many frames."""

    def __init__(self, frames):
        super().__init__(64, 48, 10.0)
        self._frames = frames

    def samples(self):
        for number, sample in enumerate(super().samples()):
            if number == self._frames:
                raise SourceLostError("The camera was unplugged.")
            yield sample


@pytest.fixture
def sources(monkeypatch):
    """The results of opening the source, one after another; an error is raised."""
    found = []

    def open_source(config, stop):
        one = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(one, Exception):
            raise one
        return one() if callable(one) else one

    monkeypatch.setattr(thread, "open_source", open_source)
    monkeypatch.setattr(thread, "REOPEN_TIMEOUTS", Timeouts(first_delay_s=0.01, max_delay_s=0.05))
    return found


@pytest.fixture
def captured(tmp_path):
    """Capture into a buffer until the block ends."""
    config = parse([*OPTIONS, "--buffer-folder", str(tmp_path)])
    err = io.StringIO()
    event_log = EventLog(config, io.StringIO(), err)
    buffer, runs = FragmentBuffer(), []

    def start():
        runs.append(CaptureThread(config, event_log))
        runs[0].start(buffer, lambda track: None)
        return runs[0], buffer, err

    yield start
    for run in runs:
        run.stop()
        run.join(LIMIT_S)
        assert run.is_over


def test_a_camera_that_was_unplugged_goes_on_when_it_is_back(sources, captured):
    gone = SourceError("There is no device /dev/video0.")
    sources += [Unplugged(12), gone, gone, lambda: Unplugged(1000)]
    run, buffer, err = captured()
    wait_for(lambda: buffer.counts.frames >= 24)
    assert "The camera was unplugged. The source is reopened in 0." in err.getvalue()
    assert err.getvalue().count("There is no device /dev/video0.") == 2
    assert run.last_error == str(gone)
    with buffer.lock:
        fragments = list(buffer._fragments.values())
    times = [fragment.timecode for fragment in fragments]
    assert times == sorted(set(times))
    # What had been captured of the fragment under way is not lost.
    assert [fragment.frames for fragment in fragments[:2]] == [10, 2]


def test_a_camera_that_is_not_there_at_the_start_is_waited_for(sources, captured):
    sources += [SourceLostError("Nobody answers."), lambda: Unplugged(1000)]
    _, buffer, _ = captured()
    wait_for(lambda: buffer.counts.frames >= 2)


def test_a_source_that_can_never_work_is_an_error_at_once(sources, captured):
    sources.append(SourceError("That is no camera."))
    with pytest.raises(SourceError, match="no camera"):
        captured()


def test_told_to_stop_while_the_camera_is_away_it_ends_at_once(sources, captured, monkeypatch):
    monkeypatch.setattr(thread, "REOPEN_TIMEOUTS", Timeouts(first_delay_s=3600, max_delay_s=3600))
    sources += [Unplugged(2)]
    run, buffer, _ = captured()
    wait_for(lambda: run.last_error)
    run.stop()
    run.join(LIMIT_S)
    assert run.is_over
    assert buffer.counts.frames == 2


@pytest.fixture
def service(monkeypatch):
    with fake_kvs.running() as service:
        for name, value in {
            "AWS_ENDPOINT_URL": service.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield service


def test_when_the_clock_is_set_pictures_are_dated_anew(service, tmp_path, monkeypatch):
    steps = [0.0] * 8 + [-3600.0]
    monkeypatch.setattr(ClockStepDetector, "step_s", lambda self: steps.pop(0) if steps else 0.0)
    config = parse([*OPTIONS, "--buffer-folder", str(tmp_path)])
    stop, err = threading.Event(), io.StringIO()
    event_log = EventLog(config, io.StringIO(), err)
    run = threading.Thread(target=edge.run.run, args=(config, event_log, stop))
    run.start()
    try:
        wait_for(lambda: err.getvalue().count("streaming since") == 2)
    finally:
        stop.set()
        run.join(LIMIT_S)
    assert "The clock was set back by 3600 s; video gets new timestamps." in err.getvalue()


def test_a_film_without_a_pace_waits_for_the_service_and_overflows_nothing(
    service, tmp_path, monkeypatch
):
    monkeypatch.setattr("edge.upload.delivery.FRAGMENT_INTERVAL_S", 0.01)
    film = draw(tmp_path / "long.mp4", frames=400, rate=10)
    options = ["--camera", "front-door", "--source", str(film), "--as-fast-as-possible"]
    config = parse([*options, "--tag", "never", "--buffer-folder", str(tmp_path / "buffer")])
    held, most = [], []
    begin = FragmentBuffer.begin

    def watched(self, at_ms, track):
        begin(self, at_ms, track)
        held.append(self.counts.waiting)

    monkeypatch.setattr(FragmentBuffer, "begin", watched)
    err = io.StringIO()
    event_log = EventLog(config, io.StringIO(), err)
    assert edge.run.run(config, event_log, threading.Event()), err.getvalue()
    most = max(held)
    assert most <= 16
    assert len(service.stored) == 40


def test_what_is_said_every_half_minute_and_in_the_file_is_what_happened(
    service, tmp_path, monkeypatch
):
    monkeypatch.setattr(supervisor, "FILE_S", 0.1)
    monkeypatch.setattr(supervisor, "STATUS_S", 0.5)
    config = parse([*OPTIONS, "--buffer-folder", str(tmp_path)])
    stop, err = threading.Event(), io.StringIO()
    event_log = EventLog(config, io.StringIO(), err)
    run = threading.Thread(target=edge.run.run, args=(config, event_log, stop))
    run.start()
    try:
        wait_for(
            lambda: '"acknowledged": 1' in (read := text(tmp_path)) and '"captured": 1' in read
        )
        wait_for(lambda: "healthy; " in err.getvalue())
    finally:
        stop.set()
        run.join(LIMIT_S)
    assert '"is_healthy": true' in text(tmp_path)


def test_a_full_disk_is_the_newest_trouble_in_the_status(service, tmp_path, monkeypatch):
    write = Path.write_bytes

    def refuse(path, data):
        if path.suffix == ".fragment":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(supervisor, "FILE_S", 0.1)
    # Without a folder in memory each fragment is written to disk at once.
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    config = parse([*OPTIONS, "--buffer-folder", str(tmp_path)])
    stop, err = threading.Event(), io.StringIO()
    event_log = EventLog(config, io.StringIO(), err)
    run = threading.Thread(target=edge.run.run, args=(config, event_log, stop))
    run.start()
    try:
        wait_for(lambda: "The disk is not writable" in text(tmp_path))
    finally:
        stop.set()
        run.join(LIMIT_S)
    assert '"is_healthy": true' in text(tmp_path)
    assert f"No space left on device, in {tmp_path}" in text(tmp_path)
    assert err.getvalue().count("The disk is not writable") == 1


def text(folder):
    path = folder / "status.json"
    return path.read_text() if path.exists() else ""
