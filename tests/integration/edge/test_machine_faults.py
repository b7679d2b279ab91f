"""Faults of the camera's machine, against the laptop AWS; the pictures carry frame numbers.

The disk is full, the camera is unplugged, the clock is wrong, the credentials expire.
"""

import errno
import re
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from edge import supervisor
from edge.auth import credentials, identity
from edge.auth.credential_endpoint import TemporaryCredentials
from edge.buffer.fragment import Limits
from edge.capture import thread
from edge.errors import (
    ClockError,
    RefusedError,
    SourceError,
    SourceLostError,
    UnhealthyError,
    UnreachableError,
)
from edge.monitor.watchdog import Watchdog
from edge.sources.pattern import Pattern, PatternSource
from edge.sources.samples import DecodedFrame
from edge.timeouts import Timeouts
from tests.support.edge.faults import assert_runs_whole, assert_whole, good_until, on_disk
from tests.support.edge.run import Stored


def session_with(fetch, config, say):
    """Return the session of a paired camera whose credentials come from `fetch`."""
    made = identity.BotocoreSession()
    made.iot_credentials = credentials.IotCredentials(fetch, say)
    return made


def test_keys_that_end_meanwhile_are_renewed_and_nothing_is_lost(
    laptop, proxy, stream, edge, persisted, monkeypatch, wait_until
):
    # Fetched anew after a second, and long before they end, however slow the machine is.
    monkeypatch.setattr(credentials, "REFRESH_BEFORE_S", 59.0)
    monkeypatch.setattr(credentials, "FIRST_DELAY_S", 0.1)
    long_lived = laptop.session().get_credentials().get_frozen_credentials()
    fetched = []

    def fetch():
        fetched.append(time.monotonic())
        if len(fetched) == 2:
            raise UnreachableError("The credential endpoint cannot be reached.")
        # The last ones stay: between two connections, a run that is stopped waits for no ack.
        lasts_s = 60.0 if proxy.put_media_calls < 3 else 3600.0
        return TemporaryCredentials(long_lived, time.monotonic() + lasts_s)

    monkeypatch.setattr(identity, "create_botocore_session", partial(session_with, fetch))
    run = edge()
    wait_until(lambda: proxy.put_media_calls > 3)
    persisted(1 + sum(ack["EventType"] == "PERSISTED" for ack in proxy.acks))
    ended = run.finish()
    assert len(fetched) > proxy.put_media_calls  # one try failed
    assert "Refreshing the credentials failed" in run.said
    assert "Reconnecting" not in run.said
    assert_whole(Stored(laptop, stream), ended["frames"])


def test_keys_that_are_refused_stop_with_what_to_do(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    long_lived = laptop.session().get_credentials().get_frozen_credentials()
    fetched, ends = [], threading.Event()

    def fetch():
        fetched.append(1)
        if len(fetched) > 1:
            raise RefusedError("This camera is not, or not any more, paired.")
        return good_until(ends, long_lived)

    monkeypatch.setattr(identity, "create_botocore_session", partial(session_with, fetch))
    run = edge()
    persisted(1)
    ends.set()
    with pytest.raises(RefusedError, match="not any more, paired"):
        run.ended()


def test_a_full_disk_is_said_once_and_memory_bridges_it(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.5)
    monkeypatch.setattr("edge.buffer.disk_writer.WRITABLE_AFTER_S", 1.0)
    write, is_full = Path.write_bytes, [True]

    def write_some(path, data):
        if is_full and path.suffix == ".fragment":
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    run = edge()
    persisted(1)
    proxy.cut()
    run.wait_for("The disk is not writable, video stays in memory: No space left on device")
    is_full.clear()
    run.wait_for("The disk is writable again.")
    assert on_disk(run.config.buffer_folder)
    proxy.mend()
    persisted(4)
    ended = run.finish()
    assert run.said.count("The disk is not writable") == 1
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=1)


def test_a_full_ring_drops_the_oldest_and_counts_it(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr("edge.run.buffer_limits", lambda config: Limits(buffer_bytes=10_000))
    run = edge()
    persisted(1)
    proxy.cut()
    run.wait_for("The buffer is full: the oldest fragments are dropped. --buffer-mb")
    time.sleep(1)
    proxy.mend()
    persisted(3)
    ended = run.finish()
    stored = Stored(laptop, stream)
    missing = sorted(set(range(ended["frames"])) - set(stored.frames))
    assert ended["dropped"] > 0
    assert len(missing) <= 10 * ended["dropped"]
    assert missing == list(range(missing[0], missing[-1] + 1)), "the oldest, in a row"
    assert ended["persisted"] + ended["dropped"] == ended["fragments"]
    assert run.said.count("The buffer is full") == 1


@pytest.mark.long  # ten seconds; a ring that is full is tried above
def test_what_is_too_far_behind_is_dropped_and_counted(laptop, proxy, stream, edge, persisted):
    run = edge("--max-behind", "3s")
    persisted(2)
    proxy.cut()
    run.wait_for("more than --max-behind old")
    proxy.mend()
    persisted(6)
    ended = run.finish()
    stored = Stored(laptop, stream)
    missing = sorted(set(range(ended["frames"])) - set(stored.frames))
    assert ended["dropped"] > 0
    assert missing == list(range(missing[0], missing[-1] + 1))


class Numbered(PatternSource):
    """A camera of one size that continues the frame numbers of the one before it."""

    def __init__(self, size, first, last):
        super().__init__(*size, 10.0)
        self._pattern = Pattern(*size, 10.0)
        self._first, self._last = first, last

    def samples(self):
        for number in range(self._first, self._last):
            seconds = (number - self._first) / 10
            yield DecodedFrame(self._pattern.frame(number, seconds), seconds)
        raise SourceLostError("The camera was unplugged.")


def test_a_camera_that_is_unplugged_and_comes_back_with_another_size(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    found = [
        Numbered((320, 240), 0, 15),
        SourceError("There is no such device."),
        Numbered((320, 240), 15, 18),
        Numbered((640, 480), 18, 1000),
    ]

    def open_source(config, stop):
        one = found.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr(thread, "open_source", open_source)
    monkeypatch.setattr(thread, "REOPEN_TIMEOUTS", Timeouts(first_delay_s=0.2, max_delay_s=1))
    run = edge("--size", "640x480")
    persisted(6)
    ended = run.finish()
    assert run.said.count("The source is reopened in") == 3
    assert "Reconnecting" not in run.said
    assert proxy.put_media_calls == 2, "another track needs another connection"
    assert_whole(Stored(laptop, stream), ended["frames"])


def test_a_clock_that_is_off_is_said_and_one_that_is_far_off_stops(proxy, edge, persisted):
    proxy.date_shift_s = 60.0
    run = edge()
    persisted(1)
    run.finish()
    # By how much at least: on a busy machine an answer takes seconds.
    (behind_s,) = re.findall(r"clock is (\d+) s behind", run.said)
    assert 40 <= int(behind_s) <= 60
    assert "timedatectl" in run.said
    proxy.date_shift_s = -600.0
    with pytest.raises(ClockError, match="clock is 10 min ahead of that of the service"):
        edge().ended()


@pytest.mark.long  # waits for two limits of the watchdog
def test_unhealthy_means_no_acks_and_leads_to_a_restart_then_to_the_exit(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr(supervisor, "Watchdog", partial(Watchdog, restart_s=1.5, exit_s=5.0))
    run = edge("--ack-limit", "2s")
    persisted(2)
    proxy.on_ack = lambda ack: None
    run.wait_for("the source and the connection are reopened")
    with pytest.raises(UnhealthyError) as unhealthy:
        run.ended()
    assert unhealthy.value.exit_code == 6
    proxy.on_ack = lambda ack: ack
    kept = run.events()[-1]["fragments"] - run.events()[-1]["persisted"]
    heard = sum(ack["EventType"] == "PERSISTED" for ack in proxy.acks)
    second = edge("--ack-limit", "2s")
    persisted(heard + kept)
    second.finish()
    assert_runs_whole(Stored(laptop, stream), run.events(), second.events())
