"""PutMedia's body, cut into fragments."""

import random

import pytest

from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.mkv.header import ErrorId, Limits, MediaError
from local.kinesisvideo.mkv.parser import FragmentFinished, FragmentParser, FragmentStarted
from local.tests.support.media import mkv


def parse(body, step=None, limits=None):
    """What a body brings about, given in pieces of a size, up to its end."""
    parser, events = FragmentParser(limits), []
    for at in range(0, len(body), step or len(body)):
        events += parser.feed(body[at : at + (step or len(body))])
    return events + list(parser.close())


def finished(body, **how):
    return [event for event in parse(body, **how) if isinstance(event, FragmentFinished)]


def error_of(body, limits=None):
    """The fragments that came through, and why the next did not."""
    parser, events = FragmentParser(limits), []
    with pytest.raises(MediaError) as caught:
        for event in parser.feed(body):
            events.append(event)
        events += parser.close()
    done = [event.timecode for event in events if isinstance(event, FragmentFinished)]
    return done, caught.value.error_id


def test_each_cluster_is_a_fragment():
    body = mkv.header() + mkv.cluster(1000) + mkv.cluster(2000)
    assert [(type(event), event.timecode) for event in parse(body)] == [
        (FragmentStarted, 1000),
        (FragmentFinished, 1000),
        (FragmentStarted, 2000),
        (FragmentFinished, 2000),
    ]


def test_a_fragment_begins_before_its_frames_are_there():
    parser = FragmentParser()
    body = mkv.header() + mkv.cluster(1000)
    upto = body.index(mkv.block(0))
    assert list(parser.feed(body[:upto])) == [FragmentStarted(1000, 1000)]


@pytest.mark.parametrize("step", [1, 2, 7, 64])
def test_any_cutting_of_the_body_gives_the_same(step):
    body = mkv.header() + mkv.cluster(1000) + mkv.tags(("a", "b")) + mkv.cluster(2000, known=True)
    assert parse(body, step=step) == parse(body)


def test_a_cluster_is_kept_as_it_was_sent():
    sent = mkv.cluster(1000)
    assert finished(mkv.header() + sent)[0].cluster == sent


def test_the_header_comes_with_every_fragment_and_ends_its_segment_nowhere():
    first, second = finished(mkv.header() + mkv.cluster(1000) + mkv.cluster(2000))
    assert first.header == second.header
    assert bytes.fromhex("1853806701ffffffffffffff") in first.header


@pytest.mark.parametrize("known", [True, False])
def test_clusters_of_known_and_of_unknown_size_end_alike(known):
    clusters = [mkv.cluster(time, known=known) for time in (0, 1000)]
    assert len(finished(mkv.header() + b"".join(clusters) + mkv.end())) == 2


def test_sizes_may_be_longer_than_they_need_be():
    blocks = [mkv.block(0, width=1), mkv.block(50, width=4), mkv.block(100, width=8)]
    assert finished(mkv.header() + mkv.cluster(0, *blocks))[0].length_ms == 150


def test_blocks_in_groups_count_as_frames():
    inner = mkv.coded(1) + (40).to_bytes(2, signed=True) + b"\0data"
    group = mkv.element(mkv.GROUP, mkv.element(mkv.INNER_BLOCK, inner))
    assert finished(mkv.header() + mkv.cluster(0, mkv.block(0), group))[0].length_ms == 80


def test_the_length_reaches_to_the_end_of_the_last_frame():
    assert finished(mkv.header() + mkv.cluster(0))[0].length_ms == 300


def test_another_time_scale_is_turned_into_milliseconds():
    body = mkv.header(scale=100_000) + mkv.cluster(15_000)
    (only,) = finished(body)
    assert (only.timecode, only.start_ms) == (15_000, 1500)


def test_void_elements_are_no_end_of_a_cluster():
    blocks = (mkv.block(0), mkv.element(mkv.VOID, b"\0" * 20), mkv.block(100))
    assert finished(mkv.header() + mkv.cluster(0, *blocks))[0].length_ms == 200


def test_an_end_of_fragment_ends_it_before_the_next_begins():
    parser = FragmentParser()
    events = list(parser.feed(mkv.header() + mkv.cluster(1000) + mkv.end()))
    assert [type(event) for event in events] == [FragmentStarted, FragmentFinished]


def test_what_is_cut_off_at_the_end_is_no_fragment():
    body = mkv.header() + mkv.cluster(1000) + mkv.cluster(2000)[:-3]
    assert error_of(body) == ([1000], ErrorId.INVALID_MKV_DATA)


def test_a_cluster_shorter_than_it_says_is_refused():
    short = mkv.cluster(2000, known=True)[: -len(mkv.block(0))]
    assert error_of(mkv.header() + mkv.cluster(1000) + short)[1] == ErrorId.INVALID_MKV_DATA


def test_an_element_longer_than_its_cluster_is_refused():
    long = mkv.identity(mkv.CLUSTER) + mkv.coded(30) + mkv.cluster(1000)[5:]
    assert error_of(mkv.header() + long)[1] == ErrorId.INVALID_MKV_DATA


@pytest.mark.parametrize(
    "body",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0" * 64,
        mkv.cluster(0),
        mkv.header(kind=b"mp4"),
        mkv.header(scale=0),
        mkv.element(mkv.EBML, mkv.element(mkv.DOC_TYPE, b"matroska")) + mkv.cluster(0),
        mkv.header() + mkv.header(),
        mkv.header() + mkv.cluster(0, mkv.element(mkv.TAG)),
        mkv.header() + mkv.identity(mkv.CLUSTER) + mkv.UNKNOWN + mkv.block(0),
        mkv.header() + mkv.element(0x1941A469, b"an attachment"),
        mkv.header(mkv.track(1), mkv.track(1)),
    ],
    ids=[
        "no matroska at all",
        "zeros",
        "a cluster without a header",
        "another document",
        "no time scale",
        "no tracks",
        "a second header",
        "a stranger in a cluster",
        "a frame before its cluster's time",
        "an attachment",
        "one track number twice",
    ],
)
def test_what_is_not_allowed_is_invalid_data(body):
    assert error_of(body)[1] == ErrorId.INVALID_MKV_DATA


def test_nothing_but_its_own_elements_may_stand_in_a_cluster_of_known_size():
    inner = mkv.integer(mkv.TIMESTAMP, 0) + mkv.block(0) + mkv.tags(("a", "b"))
    body = mkv.header() + mkv.element(mkv.CLUSTER, inner)
    assert error_of(body)[1] == ErrorId.INVALID_MKV_DATA


def test_a_second_segment_ends_the_session_after_the_fragment_before_it():
    body = mkv.header() + mkv.cluster(1000) + mkv.header() + mkv.cluster(2000)
    assert error_of(body) == ([1000], ErrorId.INVALID_MKV_DATA)


@pytest.mark.parametrize("time", [1000, 1200])
def test_a_fragment_must_begin_after_the_last_frame_of_the_one_before(time):
    body = mkv.header() + mkv.cluster(1000) + mkv.cluster(time)
    done, error = error_of(body)
    assert (done, error) == ([1000], ErrorId.FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS)


def test_a_frame_of_an_unknown_track_is_refused():
    body = mkv.header() + mkv.cluster(0, mkv.block(0), mkv.block(0, number=2))
    assert error_of(body)[1] == ErrorId.TRACK_NUMBER_MISMATCH


def test_every_track_needs_a_frame_in_every_fragment():
    header = mkv.header(mkv.track(1), mkv.track(2, kind=2))
    both = mkv.cluster(0, mkv.block(0), mkv.block(10, number=2))
    assert error_of(header + both + mkv.cluster(1000)) == ([0], ErrorId.FRAMES_MISSING_FOR_TRACK)


def test_a_cluster_without_frames_is_refused():
    body = mkv.header() + mkv.identity(mkv.CLUSTER) + mkv.UNKNOWN + mkv.integer(mkv.TIMESTAMP, 0)
    assert error_of(body)[1] == ErrorId.FRAMES_MISSING_FOR_TRACK


def test_four_tracks_are_too_many():
    tracks = [mkv.track(number) for number in range(1, 5)]
    assert error_of(mkv.header(*tracks))[1] == ErrorId.MORE_THAN_ALLOWED_TRACKS_FOUND


def test_a_fragment_may_last_only_so_long():
    body = mkv.header() + mkv.cluster(0, mkv.block(0), mkv.block(20_000))
    assert finished(body)[0].length_ms == 40_000
    body = mkv.header() + mkv.cluster(0, mkv.block(0), mkv.block(20_001))
    assert error_of(body)[1] == ErrorId.MAX_FRAGMENT_DURATION_REACHED


def test_an_endless_cluster_is_cut_off_at_the_limit():
    limits = Limits(fragment_bytes=10_000)
    parser = FragmentParser(limits)
    list(parser.feed(mkv.header() + mkv.cluster(0)))
    with pytest.raises(MediaError) as caught:
        for at in range(300, 30_000):
            list(parser.feed(mkv.block(at, b"x" * 100)))
    assert caught.value.error_id == ErrorId.MAX_FRAGMENT_SIZE_REACHED
    assert len(parser._cluster.data) <= limits.fragment_bytes


@pytest.mark.parametrize("inside", [True, False])
def test_two_gigabytes_are_refused_by_their_head_alone(inside):
    size = mkv.coded(2 * 1024**3, 8)
    start = mkv.header() + (mkv.cluster(0) + mkv.identity(mkv.BLOCK) if inside else b"")
    body = start + (size if inside else mkv.identity(mkv.CLUSTER) + size)
    assert error_of(body)[1] == ErrorId.MAX_FRAGMENT_SIZE_REACHED


def test_a_header_of_two_gigabytes_is_refused_by_its_head_alone():
    body = mkv.header() + mkv.identity(mkv.VOID) + mkv.coded(2 * 1024**3, 8)
    assert error_of(body)[1] == ErrorId.INVALID_MKV_DATA


@pytest.mark.parametrize("known", [True, False])
def test_too_many_elements_in_one_are_refused_instead_of_walked_through(known):
    stuffed = mkv.element(mkv.VOID) * (ebml.MAX_CHILDREN + 1)
    group = mkv.cluster(0, mkv.block(0), mkv.element(mkv.GROUP, stuffed), known=known)
    assert error_of(mkv.header() + group)[1] == ErrorId.INVALID_MKV_DATA
    fits = mkv.element(mkv.VOID) * ebml.MAX_CHILDREN
    cluster = mkv.cluster(0, mkv.block(0), mkv.element(mkv.GROUP, fits), known=known)
    assert len(finished(mkv.header() + cluster)) == 1


def test_a_frame_is_not_taken_to_last_longer_than_a_fragment_may():
    number, duration = mkv.integer(mkv.NUMBER, 1), mkv.integer(mkv.DURATION, 2**63)
    endless = mkv.element(mkv.ENTRY, number, duration)
    assert finished(mkv.header(endless) + mkv.cluster(0, mkv.block(0)))[0].length_ms == 20_000


def test_flipped_bits_never_do_worse_than_a_refusal():
    chance = random.Random(4711)
    body = mkv.header() + mkv.cluster(0) + mkv.tags(("a", "b"), (mkv.END, "")) + mkv.cluster(1000)
    outcomes = set()
    for _ in range(500):
        broken = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        try:
            parse(bytes(broken), step=chance.choice([1, 16, 500]))
            outcomes.add("accepted")
        except MediaError as error:
            outcomes.add(error.error_id)
    assert {"accepted", ErrorId.INVALID_MKV_DATA, ErrorId.TRACK_NUMBER_MISMATCH} <= outcomes
