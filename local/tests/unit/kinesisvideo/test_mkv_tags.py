"""Which fragment a tag belongs to, and how many a fragment may have."""

import pytest

from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.mkv.header import ErrorId, MediaError
from local.kinesisvideo.mkv.parser import FragmentFinished, FragmentParser
from local.tests.support.media import mkv

IMAGE = ("AWS_KINESISVIDEO_IMAGE_GENERATION", "")


def tags_by_fragment(*parts):
    parser = FragmentParser()
    events = [*parser.feed(mkv.header() + b"".join(parts)), *parser.close()]
    return {event.timecode: event.tags for event in events if isinstance(event, FragmentFinished)}


def test_tags_between_clusters_are_about_the_next_one():
    found = tags_by_fragment(mkv.cluster(0), mkv.tags(IMAGE), mkv.cluster(1000), mkv.cluster(2000))
    assert found == {0: (), 1000: (IMAGE,), 2000: ()}


def test_tags_before_an_end_of_fragment_are_about_the_one_it_ends():
    found = tags_by_fragment(mkv.cluster(0), mkv.tags(IMAGE), mkv.end(), mkv.cluster(1000))
    assert found == {0: (IMAGE,), 1000: ()}


def test_tags_after_an_end_of_fragment_are_about_the_next_one():
    parts = (mkv.cluster(0), mkv.tags(("a", "1")), mkv.end(), mkv.tags(("b", "2")))
    assert tags_by_fragment(*parts, mkv.cluster(1000)) == {0: (("a", "1"),), 1000: (("b", "2"),)}


def test_an_end_of_fragment_may_stand_in_the_same_element():
    together = mkv.tags(("a", "1"), (mkv.END, ""), ("b", "2"))
    found = tags_by_fragment(mkv.cluster(0), together, mkv.cluster(1000))
    assert found == {0: (("a", "1"),), 1000: (("b", "2"),)}


def test_tags_from_before_and_after_a_cluster_come_together():
    parts = (mkv.tags(("a", "1")), mkv.cluster(0), mkv.tags(("b", "2"), (mkv.END, "")))
    assert tags_by_fragment(*parts) == {0: (("a", "1"), ("b", "2"))}


def test_tags_that_nothing_follows_belong_to_nothing():
    assert tags_by_fragment(mkv.cluster(0), mkv.tags(IMAGE)) == {0: ()}


def test_a_muxer_s_own_tags_are_part_of_the_header():
    own = mkv.tags(("ENCODER", "Lavf"), targets=True)
    parser = FragmentParser()
    events = [*parser.feed(mkv.header() + own + mkv.cluster(0)), *parser.close()]
    assert events[-1].tags == ()
    assert own in events[-1].header


def test_a_producer_s_tags_are_about_the_first_fragment_even_with_targets():
    asked = mkv.tags(IMAGE, targets=True)
    assert tags_by_fragment(asked, mkv.cluster(0), mkv.cluster(1000)) == {0: (IMAGE,), 1000: ()}


def test_a_name_given_twice_counts_once_with_its_last_value():
    found = tags_by_fragment(mkv.tags(("a", "1")), mkv.tags(("a", "2")), mkv.cluster(0))
    assert found == {0: (("a", "2"),)}


@pytest.mark.parametrize("placed", ["before", "after"])
def test_ten_tags_are_allowed_and_eleven_are_not(placed):
    def body(count):
        pairs = mkv.tags(*((f"tag{number}", "x") for number in range(count)))
        return [pairs, mkv.cluster(0)] if placed == "before" else [mkv.cluster(0), pairs, mkv.end()]

    assert len(tags_by_fragment(*body(10))[0]) == 10
    with pytest.raises(MediaError) as caught:
        tags_by_fragment(*body(11))
    assert caught.value.error_id == ErrorId.FRAGMENT_METADATA_LIMIT_REACHED


@pytest.mark.parametrize("pair", [("n" * 129, ""), ("n", "v" * 257)])
def test_too_long_a_name_or_value_is_refused(pair):
    with pytest.raises(MediaError) as caught:
        tags_by_fragment(mkv.tags(pair), mkv.cluster(0))
    assert caught.value.error_id == ErrorId.FRAGMENT_METADATA_LIMIT_REACHED


def test_an_endless_row_of_tags_is_not_remembered():
    parser = FragmentParser()
    list(parser.feed(mkv.header() + mkv.cluster(0)))
    for number in range(1000):
        list(parser.feed(mkv.tags((f"tag{number}", "x" * 200))))
    assert len(parser._tags) < 50


def test_written_tags_read_back():
    pairs = [("AWS_KINESISVIDEO_FRAGMENT_NUMBER", "91343"), ("Zoë", "")]
    written = ebml.tags(pairs)
    head = ebml.read_head(written)
    assert ebml.read_tags(written[head.length :]) == pairs


def test_tags_are_refused_by_their_size_alone_when_it_is_absurd():
    many = mkv.tags(("a", "x" * 70_000))
    with pytest.raises(MediaError) as caught:
        tags_by_fragment(mkv.cluster(0), many[:20])
    assert caught.value.error_id == ErrorId.FRAGMENT_METADATA_LIMIT_REACHED
