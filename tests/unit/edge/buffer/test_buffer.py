"""When capture waits for room, what is dropped as too old, and what is not sent."""

import threading

import pytest

from edge.buffer.buffer import FragmentBuffer
from edge.buffer.fragment import Limits
from edge.media.mkv import EncodedFrame
from tests.support.edge.buffer import LIMIT_S, TRACK, wait_for


def test_a_source_that_can_wait_waits_for_room_and_not_for_ever():
    buffer = FragmentBuffer(Limits(ahead=2))
    put = []

    def capture():
        for timecode in range(1000, 6000, 1000):
            buffer.begin(timecode, TRACK)
            buffer.add(EncodedFrame(timecode, True, b"frame"))
            buffer.end(None)
            put.append(timecode)

    thread = threading.Thread(target=capture)
    thread.start()
    wait_for(lambda: put == [1000, 2000])
    buffer.remove(buffer.next_after(None), "persisted")
    wait_for(lambda: put == [1000, 2000, 3000])
    buffer.stop_waiting_for_room()
    thread.join(LIMIT_S)
    assert put[-1] == 5000


def test_what_is_too_far_behind_is_dropped_when_it_is_captured_and_when_it_is_found():
    buffer = FragmentBuffer(Limits(behind_s=5))
    for timecode in range(1000, 11_000, 1000):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, b"frame"))
    assert buffer.next_after(None).timecode == 5000
    assert buffer.counts.dropped_by == {"too far behind": 4}
    buffer.drop_older_than(20_000)
    assert buffer.next_after(None).timecode == 10_000, "the one under way stays"


def test_a_fragment_that_is_not_wanted_is_never_sent():
    buffer = FragmentBuffer(holds_until_complete=True)
    for timecode, is_wanted in ((1000, False), (2000, True)):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, b"frame"))
        assert buffer.next_after(None) is None, "not before it is known whether it is wanted"
        buffer.end({} if is_wanted else None, is_wanted=is_wanted)
    assert buffer.next_after(None).timecode == 2000
    assert (buffer.counts.unwanted, buffer.counts.waiting) == (1, 1)


@pytest.mark.parametrize(("begins_ms", "is_said"), [(2000, True), (1500, False)])
def test_a_fragment_that_was_moved_does_not_say_when_faces_were_where(begins_ms, is_said):
    """A source that was opened again overlaps: its frames' times are no longer those of a tag."""
    buffer = FragmentBuffer()
    for at_ms, tags in ((1000, None), (begins_ms, {"faces": f"{begins_ms}:1 2 3 4"})):
        buffer.begin(at_ms, TRACK)
        buffer.add(EncodedFrame(at_ms, True, b"frame"))
        buffer.add(EncodedFrame(at_ms + 900, False, b"frame"))
        buffer.end(tags)
    _, moved = buffer.in_memory()
    sent = b"".join(moved.pieces)
    assert (b"faces" in sent, b"IMAGE_GENERATION" in sent) == (is_said, True)


def test_a_file_whose_fragment_is_stored_while_it_is_written_is_deleted():
    buffer = FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"frame"))
    buffer.end(None)
    (fragment,) = buffer.in_memory()
    buffer.remove(fragment, "persisted")
    buffer.mark_written(fragment, "file")
    assert list(buffer.deletable) == ["file"]


def test_a_fragment_that_got_no_frame_does_not_hold_up_those_that_follow():
    buffer = FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.begin(2000, TRACK)
    buffer.add(EncodedFrame(2000, True, b"frame"))
    assert buffer.next_after(None).timecode == 2000
    buffer.begin(3000, TRACK)
    buffer.close()
    assert [f.timecode for f in buffer.in_memory()] == [2000]
    buffer.remove(buffer.next_after(None), "persisted")
    assert buffer.is_done


def test_a_source_that_comes_back_after_the_end_adds_nothing():
    buffer = FragmentBuffer()
    buffer.close()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"frame"))
    buffer.end(None)
    assert buffer.is_done
    assert buffer.counts.fragments == buffer.memory_bytes == 0
