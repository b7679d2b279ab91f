"""Live media is told by the service's clock and the end of the newest fragment."""

from datetime import UTC, datetime

import pytest

from whosthere.session.health.media import newest_media

NOW = 1_800_000_000_000


class Archive:
    """An archived-media client that lists fragments, in pages and in no order."""

    def __init__(self, *pages):
        self.pages, self.asked = pages, None

    def get_paginator(self, operation):
        assert operation == "list_fragments"
        return self

    def paginate(self, **asked):
        self.asked = asked
        return [{"Fragments": page} for page in self.pages]


def fragment(ago_s, length_ms=1000):
    start = datetime.fromtimestamp(NOW / 1000 - ago_s, UTC)
    return {"ServerTimestamp": start, "FragmentLengthInMilliseconds": length_ms}


def media(*pages):
    return newest_media(Archive(*pages), "whosthere-front-door", NOW, NOW - 60_000)


def test_no_fragment_is_no_live_media():
    assert media([]).silent_seconds is None
    assert not media([], []).is_live


def test_the_newest_fragment_counts_wherever_it_is_listed():
    found = media([fragment(50), fragment(4)], [fragment(20)])
    assert found.silent_seconds == pytest.approx(3)
    assert found.is_live


def test_a_long_fragment_ends_later_than_it_began():
    assert media([fragment(35, 20_000)]).is_live
    assert not media([fragment(35)]).is_live


def test_how_long_live_media_may_be_away_depends_on_its_fragments():
    """The next fragment, as long as the last, may be under way unseen."""
    assert media([fragment(6.9)]).is_live
    assert not media([fragment(7.1)]).is_live
    assert media([fragment(24, 10_000)]).is_live


def test_silence_lasts_as_long_as_the_caller_says():
    assert media([fragment(4)]).is_silent(2)
    assert not media([fragment(4)]).is_silent(4)
    assert media([]).is_silent(1000)


def test_a_fragment_from_the_future_is_live():
    assert media([fragment(-2)]).silent_seconds == 0


def test_the_range_is_by_the_servers_clock():
    archive = Archive([])
    newest_media(archive, "s", NOW, NOW - 60_000)
    selector = archive.asked["FragmentSelector"]
    assert selector["FragmentSelectorType"] == "SERVER_TIMESTAMP"
    assert selector["TimestampRange"]["StartTimestamp"].timestamp() == NOW / 1000 - 60


def test_bytes_are_counted_of_fragments_that_came_since_the_last_check():
    sized = [{**fragment(ago), "FragmentSizeInBytes": 100 + ago} for ago in (40, 30, 20)]
    first = newest_media(Archive(sized), "whosthere-front-door", NOW, NOW - 60_000)
    assert (first.new_bytes, first.counted_ms) == (390, NOW - 20_000)
    later = [*sized, {**fragment(10), "FragmentSizeInBytes": 7}]
    counted = first.counted_ms
    again = newest_media(Archive(later), "whosthere-front-door", NOW, NOW - 60_000, counted)
    assert (again.new_bytes, again.counted_ms) == (7, NOW - 10_000)
    none = newest_media(Archive([]), "whosthere-front-door", NOW, NOW - 60_000, counted)
    assert (none.new_bytes, none.counted_ms) == (0, counted)
