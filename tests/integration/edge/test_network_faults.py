"""Faults of the camera's network, against the laptop AWS; the pictures carry frame numbers.

A proxy between the edge and the laptop AWS cuts connections, stalls, and changes acks.
"""

import time

import pytest

from edge.errors import RefusedError
from tests.support.edge.faults import assert_runs_whole, assert_whole, on_disk
from tests.support.edge.proxy import Cut
from tests.support.edge.run import Stored


def test_a_cut_is_made_good_in_order_and_nothing_comes_twice(
    laptop, proxy, stream, edge, persisted, wait_until
):
    run = edge()
    persisted(1)
    proxy.cut()
    run.wait_for("Reconnecting")
    wait_until(lambda: len(on_disk(run.config.buffer_folder)) >= 3)
    began, mended = len(proxy.acks), time.monotonic()
    proxy.mend()
    persisted(5)
    late_s = time.monotonic() - mended
    ended = run.finish()
    stored = Stored(laptop, stream)
    # Only the fragment that was under way may be there twice.
    assert_whole(stored, ended["frames"], doubled=1)
    arrivals = [f["FragmentNumber"] for f in stored.fragments]
    assert arrivals == sorted(arrivals)
    assert late_s < 40
    assert len(proxy.acks) > began
    assert not on_disk(run.config.buffer_folder), "what is stored is deleted"


@pytest.mark.long  # cuts the network for a minute
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


@pytest.mark.long  # two waits to reconnect; one cut is tried above
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
    assert run.said.count("Reconnecting") >= 2
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=2)


def test_acks_that_stop_while_tcp_lives_bring_a_new_connection(
    laptop, proxy, stream, edge, persisted, timeouts
):
    timeouts(ack_s=1.5)
    run, lost = edge(), []
    persisted(1)

    def lose(ack):
        lost.append(ack)

    proxy.on_ack = lose
    run.wait_for("no ack for 2 s")
    assert proxy.put_media_calls == 1
    proxy.on_ack = lambda ack: ack
    persisted(5)
    ended = run.finish()
    stored = Stored(laptop, stream)
    unheard = {ack["FragmentTimecode"] for ack in lost if ack["EventType"] == "PERSISTED"}
    assert_whole(stored, ended["frames"], doubled=len(unheard) + 1)
    again = {t for t in stored.timecodes if stored.timecodes.count(t) > 1}
    # Besides those whose ack was lost, only the one that was under way.
    assert len(again - unheard) <= 1


@pytest.mark.long  # waits to reconnect; lost acks are tried above
def test_a_peer_that_takes_nothing_is_left_and_nothing_is_lost(
    laptop, proxy, stream, edge, persisted, timeouts
):
    timeouts(ack_s=2.0)
    run = edge()
    persisted(2)
    proxy.is_stalled.set()
    run.wait_for("Reconnecting")
    proxy.cut_connections()
    proxy.is_stalled.clear()
    persisted(8)
    ended = run.finish()
    assert_whole(Stored(laptop, stream), ended["frames"], doubled=8)


def error_for(fragment, error_id):
    """Answer the nth fragment with an ERROR ack; the service never receives it."""
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
    persisted(3)
    ended = run.finish()
    stored = Stored(laptop, stream)
    assert (ended["refused"], ended["persisted"]) == (1, ended["fragments"] - 1)
    assert f"Fragment {lie.begun[2]} is skipped: 4006 INVALID_MKV_DATA" in run.said
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
    proxy.on_ack = lambda ack: ack
    second = edge()
    second.wait_for("kept on disk are sent first")
    persisted(4)
    second.finish()
    stored = Stored(laptop, stream)
    assert_runs_whole(stored, run.events(), second.events())
    assert stored.repeated <= 1, "only the one that was under way"


@pytest.mark.long  # several lives of a connection, in real time
def test_a_new_connection_in_time_leaves_no_gap_and_doubles_nothing(
    laptop, proxy, stream, edge, persisted, timeouts
):
    timeouts(connection_s=2.0)
    run = edge()
    persisted(7)
    ended = run.finish()
    stored = Stored(laptop, stream)
    assert proxy.put_media_calls >= 3
    assert_whole(stored, ended["frames"])
    assert "Reconnecting" not in run.said
