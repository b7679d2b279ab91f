"""Bad days of a camera, against the laptop AWS: every frame captured is stored, told by its number.

Between the edge and the laptop is a network of ours that cuts, stalls, and lies.
"""

import errno
import sys
import time
from functools import partial
from threading import current_thread, main_thread

import pytest

from edge import identity, keys, pipeline, ring, storage, supervisor
from edge import video_stream as video_stream_
from edge.credential_endpoint import TemporaryKeys
from edge.errors import ClockError, RefusedError, UnhealthyError, UnreachableError
from edge.fragments import Limits
from edge.patience import Patience
from edge.watchdog import Watchdog
from tests.local.edge_proxy import Cut, Proxy, detoured
from tests.local.edge_run import EdgeRun, Stored, video_stream


@pytest.fixture
def stream(laptop):
    with video_stream(laptop) as name:
        yield name


@pytest.fixture
def proxy(laptop, stream):
    control = laptop.client("kinesisvideo")
    media = control.get_data_endpoint(StreamName=stream, APIName="PUT_MEDIA")["DataEndpoint"]
    proxy = Proxy(laptop.endpoint, media)
    yield proxy
    proxy.close()


@pytest.fixture
def edge(laptop, proxy, stream, tmp_path, monkeypatch):
    """Start an edge whose way to the laptop is the proxy."""
    for name, value in laptop.environment().items():
        monkeypatch.setenv(name, value)
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
def patience(monkeypatch):
    """Set how long the sender waits, which is half a minute and more in a house."""

    def set_(**seconds):
        monkeypatch.setattr(pipeline, "Patience", partial(Patience, **seconds))

    return set_


@pytest.fixture
def persisted(proxy, wait_until):
    """Wait until so many fragments were acknowledged since the test began."""

    def wait(number, seconds=40):
        def is_so():
            return sum(ack["EventType"] == "PERSISTED" for ack in proxy.acks) >= number

        wait_until(is_so, seconds)

    return wait


def on_disk(run):
    return list(run.config.buffer_folder.glob("*/*.ring"))


def assert_whole(stored, frames, doubled=0):
    """Each frame that was captured is stored; at most so many fragments are twice."""
    assert sorted(stored.frames) == list(range(frames))
    assert len(stored.doubled()) <= doubled


def test_a_cut_is_made_good_in_order_and_nothing_comes_twice(
    laptop, proxy, stream, edge, persisted
):
    run = edge()
    persisted(2)
    assert not on_disk(run), "where all is well, nothing is written"
    proxy.cut()
    run.wait_for("Connecting anew")
    time.sleep(3)
    assert on_disk(run)
    began, mended = len(proxy.acks), time.monotonic()
    proxy.mend()
    persisted(8)
    late_s = time.monotonic() - mended
    ended = run.finish()
    stored = Stored(laptop, stream)
    # Only the fragment that was under way may be there twice.
    assert_whole(stored, ended["frames"], doubled=1)
    arrivals = [f["FragmentNumber"] for f in stored.fragments]
    assert arrivals == sorted(arrivals)
    assert late_s < 40
    assert len(proxy.acks) > began
    assert not on_disk(run), "what is stored is deleted"


@pytest.mark.long
def test_a_minutes_cut_is_made_good_in_about_twenty_seconds(
    laptop, proxy, stream, edge, persisted, wait_until
):
    run = edge()
    persisted(2)
    proxy.cut()
    time.sleep(60)
    proxy.mend()
    mended = time.monotonic()
    status = run.config.buffer_folder / "status.json"
    wait_until(lambda: '"buffered": 1,' in status.read_text(), 60)
    # The pause before the next attempt is up to 20 s, and the file is up to 5 s old.
    assert 15 <= time.monotonic() - mended <= 50
    ended = run.finish()
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=1)


def test_a_connection_that_dies_within_a_fragment_costs_nothing(
    laptop, proxy, stream, edge, persisted
):
    run, passed = edge(), []

    def cut_twice(size):
        passed.append(size)
        if len(passed) in (15, 37):
            raise Cut

    proxy.on_video = cut_twice
    persisted(6)
    ended = run.finish()
    assert run.said.count("Connecting anew") >= 2
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=2)


def test_acks_that_stop_while_tcp_lives_bring_a_new_connection(
    laptop, proxy, stream, edge, persisted, patience
):
    patience(ack_s=2.0)
    run, lost = edge(), []
    persisted(2)

    def lose(ack):
        lost.append(ack)

    proxy.on_ack = lose
    run.wait_for("no ack for 2 s")
    assert proxy.put_media_calls == 1
    proxy.on_ack = lambda ack: ack
    persisted(9)
    ended = run.finish()
    stored = Stored(laptop, stream)
    unheard = {ack["FragmentTimecode"] for ack in lost if ack["EventType"] == "PERSISTED"}
    assert_whole(stored, ended["frames"], doubled=len(unheard) + 1)
    again = {t for t in stored.timecodes if stored.timecodes.count(t) > 1}
    # Besides those whose ack was lost, only the one that was under way.
    assert len(again - unheard) <= 1


def test_a_peer_that_takes_nothing_is_left_and_nothing_is_lost(
    laptop, proxy, stream, edge, persisted, patience
):
    patience(ack_s=2.0)
    run = edge()
    persisted(2)
    proxy.is_stalled.set()
    run.wait_for("Connecting anew")
    proxy.cut_connections()
    proxy.is_stalled.clear()
    persisted(8)
    ended = run.finish()
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=8)


def error_for(fragment, error_id):
    """Say ERROR instead of taking the nth fragment; it never gets to the service."""
    begun = []

    def lie(ack):
        if ack["EventType"] == "BUFFERING":
            begun.append(ack["FragmentTimecode"])
            if len(begun) == fragment:
                return ack | {"EventType": "ERROR", "ErrorId": error_id, "ErrorCode": "TEST"}
        return ack

    lie.begun = begun
    return lie


def test_an_error_about_one_fragment_leaves_out_that_one_alone(
    laptop, proxy, stream, edge, persisted
):
    proxy.on_ack = lie = error_for(3, 4006)
    run = edge()
    persisted(6)
    ended = run.finish()
    stored = Stored(laptop, stream)
    assert (ended["refused"], ended["persisted"]) == (1, ended["fragments"] - 1)
    assert f"Fragment {lie.begun[2]} is left out: 4006 INVALID_MKV_DATA" in run.said
    missing = sorted(set(range(ended["frames"])) - set(stored.frames))
    assert missing == list(range(20, 30))
    assert set(stored.frames.values()) == {1}


def test_an_error_that_may_pass_has_the_fragment_sent_again(laptop, proxy, stream, edge, persisted):
    proxy.on_ack = error_for(3, 5000)
    run = edge()
    persisted(6)
    ended = run.finish()
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=1)
    assert "5000 INTERNAL_ERROR" in run.said


def test_an_error_about_the_stream_stops_and_what_was_captured_is_kept(
    laptop, proxy, stream, edge, persisted
):
    proxy.on_ack = error_for(3, 4500)
    run = edge()
    with pytest.raises(RefusedError, match="4500 KMS_KEY_ACCESS_DENIED. Look at the KMS key"):
        run.ended()
    assert "kept on disk for the next start" in run.said
    frames = run.events()[-1]["frames"]
    proxy.on_ack = lambda ack: ack
    second = edge()
    second.wait_for("kept on disk are sent first")
    persisted(5)
    ended = second.finish()
    in_all = Stored(laptop, stream).frames
    assert sum(in_all.values()) == frames + ended["frames"]


def test_a_new_connection_in_time_leaves_no_gap_and_doubles_nothing(
    laptop, proxy, stream, edge, persisted, patience
):
    patience(connection_s=2.0)
    run = edge()
    persisted(7)
    ended = run.finish()
    stored = Stored(laptop, stream)
    assert proxy.put_media_calls >= 3
    assert_whole(stored, ended["frames"])
    assert "Connecting anew" not in run.said


def test_keys_that_end_meanwhile_are_renewed_and_nothing_is_lost(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr(keys, "RENEW_BEFORE_S", 3.0)
    monkeypatch.setattr(video_stream_, "RENEW_S", 1.0)
    monkeypatch.setattr(keys, "FIRST_PAUSE_S", 0.1)
    long_lived = laptop.session().get_credentials().get_frozen_credentials()
    fetched = []

    def fetch():
        fetched.append(time.monotonic())
        if len(fetched) == 2:
            raise UnreachableError("The credential endpoint cannot be reached.")
        return TemporaryKeys(long_lived, time.monotonic() + 5.0)

    def session(config, say):
        made = identity.CameraSession()
        made.keys = keys.RenewedKeys(fetch, say)
        return made

    monkeypatch.setattr(pipeline.identity, "session", session)
    run = edge()
    persisted(8)
    ended = run.finish()
    assert len(fetched) >= 3
    assert proxy.put_media_calls >= 3
    assert "Renewing the keys is not possible now" in run.said
    assert "Connecting anew" not in run.said
    assert_whole(Stored(laptop, stream), ended["frames"])


def test_keys_that_are_refused_stop_with_what_to_do(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    long_lived = laptop.session().get_credentials().get_frozen_credentials()
    fetched = []

    def fetch():
        fetched.append(1)
        if len(fetched) > 1:
            raise RefusedError("This camera is not, or not any more, paired.")
        return TemporaryKeys(long_lived, time.monotonic() + 3.0)

    def session(config, say):
        made = identity.CameraSession()
        made.keys = keys.RenewedKeys(fetch, say)
        return made

    monkeypatch.setattr(pipeline.identity, "session", session)
    monkeypatch.setattr(video_stream_, "RENEW_S", 0.5)
    run = edge()
    persisted(1)
    with pytest.raises(RefusedError, match="not any more, paired"):
        run.ended()


def test_a_full_disk_is_said_once_and_memory_bridges_it(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr("edge.keeper.RETRY_S", 0.5)
    write, is_full = ring._write, [True]

    def write_some(file, data):
        if is_full:
            write(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    monkeypatch.setattr(ring, "_write", write_some)
    run = edge()
    persisted(1)
    proxy.cut()
    run.wait_for("The disk takes nothing, fragments stay in memory: No space left on device")
    time.sleep(1)
    is_full.clear()
    run.wait_for("The disk takes fragments again.")
    assert on_disk(run)
    proxy.mend()
    persisted(5)
    ended = run.finish()
    assert run.said.count("The disk takes nothing") == 1
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=1)


def test_a_full_ring_drops_the_oldest_and_counts_it(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr(storage, "limits_of", lambda config: Limits(buffer_bytes=15_000))
    run = edge()
    persisted(2)
    proxy.cut()
    run.wait_for("The buffer is full: the oldest fragments are dropped. --buffer-mb")
    time.sleep(2)
    proxy.mend()
    persisted(5)
    ended = run.finish()
    stored = Stored(laptop, stream)
    missing = sorted(set(range(ended["frames"])) - set(stored.frames))
    assert ended["dropped"] > 0
    assert len(missing) <= 10 * ended["dropped"]
    assert missing == list(range(missing[0], missing[-1] + 1)), "the oldest, in a row"
    assert ended["persisted"] + ended["dropped"] == ended["fragments"]
    assert run.said.count("The buffer is full") == 1


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


def test_a_clock_that_is_off_is_said_and_one_that_is_far_off_stops(proxy, edge, persisted):
    proxy.date_shift_s = 60.0
    run = edge()
    persisted(1)
    run.finish()
    assert run.said.count("clock is 59 s behind") + run.said.count("clock is 60 s behind") == 1
    assert "timedatectl" in run.said
    proxy.date_shift_s = -600.0
    with pytest.raises(ClockError, match="clock is 10 min ahead of that of the service"):
        edge().ended()


def test_unhealthy_means_no_acks_and_leads_to_a_restart_then_to_the_exit(
    laptop, proxy, stream, edge, persisted, monkeypatch
):
    monkeypatch.setattr(supervisor, "Watchdog", partial(Watchdog, restart_s=1.5, exit_s=5.0))
    run = edge("--ack-limit", "2s")
    persisted(2)
    proxy.on_ack = lambda ack: None
    run.wait_for("the source and the connection are renewed")
    with pytest.raises(UnhealthyError) as unhealthy:
        run.ended()
    assert unhealthy.value.exit_code == 6
    proxy.on_ack = lambda ack: ack
    kept = run.events()[-1]["fragments"] - run.events()[-1]["persisted"]
    heard = sum(ack["EventType"] == "PERSISTED" for ack in proxy.acks)
    second = edge("--ack-limit", "2s")
    persisted(heard + kept)
    second.finish()
    frames = run.events()[-1]["frames"] + second.events()[-1]["frames"]
    assert sum(Stored(laptop, stream).frames.values()) >= frames
