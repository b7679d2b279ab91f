"""In which order, how fast and over which connection fragments are sent."""

import gc

import pytest

from edge.buffer.buffer import FragmentBuffer
from edge.buffer.fragment import Fragment
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from edge.upload.delivery import Delivery

TRACK, OTHER = mkv.VideoTrack(64, 48, b"\x01one"), mkv.VideoTrack(96, 64, b"\x01two")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def put(buffer, timecode, track=TRACK, frames=10, step_ms=100):
    buffer.begin(timecode, track)
    for number in range(frames):
        buffer.add(EncodedFrame(timecode + step_ms * number, number == 0, b"frame"))
    buffer.end(None)


def started(delivery, clock, seconds):
    """Return when each fragment was begun, within so many seconds."""
    begun, end = [], clock.now + seconds
    before = None
    while clock.now < end:
        while delivery.take():
            pass
        if delivery._fragment is not before:
            before = delivery._fragment
            begun.append((round(clock.now - end + seconds, 2), before.timecode))
        clock.now += 0.01
    return begun


def test_what_was_held_back_goes_out_at_four_times_its_speed():
    clock, buffer = Clock(), FragmentBuffer()
    for second in range(60):
        put(buffer, 1000 * second + 1000)
    begun = started(Delivery(buffer, monotonic=clock), clock, 10)
    assert len(begun) == pytest.approx(40, abs=1)
    assert [timecode for _, timecode in begun] == [1000 * n + 1000 for n in range(len(begun))]


@pytest.mark.parametrize(("frames", "a_second"), [(2, 4.76), (20, 2.0)])
def test_below_five_a_second_however_short_and_at_four_times_however_long(frames, a_second):
    clock, buffer = Clock(), FragmentBuffer()
    for number in range(60):
        put(buffer, 100 * frames * number + 1000, frames=frames)
    begun = started(Delivery(buffer, monotonic=clock), clock, 10)
    assert len(begun) / 10 == pytest.approx(a_second, abs=0.15)
    times = [at for at, _ in begun]
    assert all(len([t for t in times if at <= t < at + 1]) <= 5 for at in times)


def test_without_a_pace_only_the_services_limit_counts():
    clock, buffer = Clock(), FragmentBuffer()
    for number in range(60):
        put(buffer, 1000 * number + 1000)
    delivery = Delivery(buffer, speed=float("inf"), monotonic=clock)
    assert len(started(delivery, clock, 10)) / 10 == pytest.approx(4.76, abs=0.15)


def drained(delivery):
    return b"".join(iter(delivery.take, b""))


def test_another_track_needs_another_connection():
    clock, buffer = Clock(), FragmentBuffer()
    put(buffer, 1000)
    put(buffer, 2000, OTHER)
    first = Delivery(buffer, monotonic=clock)
    body = drained(first)
    clock.now += 1
    assert (drained(first), first.is_over) == (b"", True)
    assert mkv.header(TRACK)[-20:] in body
    first.resolve(1000, "persisted")
    second = drained(Delivery(buffer, monotonic=clock))
    assert OTHER.codec_private in second
    assert mkv.cluster(2000) in second


def test_a_clock_that_was_set_back_needs_another_connection():
    clock, buffer = Clock(), FragmentBuffer()
    put(buffer, 3_600_000)
    put(buffer, 60_000)
    first = Delivery(buffer, monotonic=clock)
    drained(first)
    clock.now += 1
    assert (drained(first), first.is_over) == (b"", True)
    first.resolve(3_600_000, "persisted")
    assert mkv.cluster(60_000) in drained(Delivery(buffer, monotonic=clock))


def test_a_source_that_begins_anew_a_little_early_is_moved_behind_the_one_before():
    clock, buffer = Clock(), FragmentBuffer()
    put(buffer, 1000)
    put(buffer, 1500)
    put(buffer, 2500)
    delivery = Delivery(buffer, monotonic=clock)
    body = b""
    for _ in range(3):
        body += drained(delivery)
        clock.now += 1
    assert not delivery.is_over
    assert body.count(mkv.end_of_fragment()) == 3
    times = [fragment.timecode for fragment in delivery.unacknowledged()]
    assert times == [1000, 1901, 2802]


def test_what_is_stored_is_kept_in_memory_by_nobody():
    """A connection lasts 40 minutes, and what it has carried would be gigabytes."""
    clock, buffer, track = Clock(), FragmentBuffer(), mkv.VideoTrack(64, 48, b"\x01own")
    delivery = Delivery(buffer, monotonic=clock)
    for timecode in range(1000, 11_000, 1000):
        put(buffer, timecode, track)
        drained(delivery)
        assert delivery.resolve(timecode, "persisted")
        clock.now += 1
    alive = [f for f in gc.get_objects() if isinstance(f, Fragment) and f.track is track]
    assert alive == [delivery._fragment], "the last, behind which the next one goes"


def test_a_frame_long_after_its_key_frame_is_dated_as_late_as_can_be():
    clock, buffer = Clock(), FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"key"))
    buffer.add(EncodedFrame(3_600_000, False, b"late"))
    buffer.end(None)
    assert b"\x81\x7f\xff\x00late" in drained(Delivery(buffer, monotonic=clock))
