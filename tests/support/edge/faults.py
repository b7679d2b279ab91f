"""Fixtures for faults: an edge, its stream, and a proxy between them."""

import struct
import sys
from contextlib import suppress
from functools import partial
from threading import current_thread, main_thread

import pytest

from edge.auth.credential_endpoint import TemporaryCredentials
from edge.buffer.storage import read_header
from tests.support.edge.proxy import Proxy, detoured


@pytest.fixture
def proxy(laptop, stream):
    control = laptop.client("kinesisvideo")
    media = control.get_data_endpoint(StreamName=stream, APIName="PUT_MEDIA")["DataEndpoint"]
    proxy = Proxy(laptop.endpoint, media)
    yield proxy
    proxy.close()


@pytest.fixture
def edge(laptop, proxy, stream, tmp_path, monkeypatch):
    """Start an edge that reaches the laptop AWS through the proxy."""
    from edge import supervisor
    from tests.support.edge.run import LIMIT_S, EdgeRun

    for name, value in laptop.environment().items():
        monkeypatch.setenv(name, value)
    # What a slow machine has not stored by then would wait on disk for the next start.
    monkeypatch.setattr(supervisor, "LAST_ACKS_STOPPED_S", LIMIT_S / 2)
    runs = []

    def start(*more):
        runs.append(EdgeRun(stream, tmp_path / "buffer", *more))
        return runs[-1]

    # What the test itself asks of the laptop, in the main thread, goes straight there.
    with detoured(proxy.detours, lambda: current_thread() is not main_thread()):
        yield start
        for run in runs:
            run.stop.set()
            run.join()
            sys.stderr.write(f"{run.said}{run.error}\n")  # shown when the test fails


@pytest.fixture
def timeouts(monkeypatch):
    """Shorten the sender's timeouts, which are half a minute and more by default."""
    from edge.timeouts import Timeouts

    def set_(**seconds):
        monkeypatch.setattr("edge.run.Timeouts", partial(Timeouts, **seconds))

    return set_


@pytest.fixture
def persisted(proxy, wait_until):
    """Wait until so many fragments were acknowledged since the test began."""

    def wait(number, seconds=120):
        def is_so():
            return sum(ack["EventType"] == "PERSISTED" for ack in proxy.acks) >= number

        wait_until(is_so, seconds)

    return wait


def good_until(end, frozen):
    """Return credentials that are good for a minute, or until the event `end`."""

    class Keys(TemporaryCredentials):
        seconds_left = property(lambda _: 0.0 if end.is_set() else 60.0)

    return Keys(frozen, expires_at=0.0)


def on_disk(folder):
    """Return the timecodes of the fragments on disk that are not acknowledged."""
    timecodes = []
    for path in sorted(folder.glob("*/*/*.fragment")):
        with suppress(OSError, struct.error):  # it is being written or deleted
            timecodes.append(read_header(path).timecode)
    return timecodes


def assert_runs_whole(stored, *runs):
    """Assert that each frame of several runs is stored, whichever run sent it.

    The runs' events say when each source was opened; the frame numbers start over there. A run
    that was stopped before it opened its source has no events, and no frames.
    """
    told = [event for events in runs for event in events if event["event"] == "started"]
    parts = stored.of_runs(*(event["first_capture"] for event in told))
    assert [sorted(frames) for frames in parts] == [list(range(len(frames))) for frames in parts]
    assert sum(map(len, parts)) == sum(events[-1]["frames"] for events in runs if events)


def assert_whole(stored, frames, doubled=0):
    """Assert that each captured frame is stored, and at most `doubled` fragments twice."""
    assert sorted(stored.frames) == list(range(frames))
    assert len(stored.doubled()) <= doubled
