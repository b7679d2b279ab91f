"""Which fragments become a clip: the range, the limits, and each moment only once."""

import io

import av
import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.media import get_clip
from local.tests.support.kinesisvideo.plane import START, Plane, film, times
from local.tests.support.media.films import number_of

DAY = 86_400_000


@pytest.fixture
def plane(tmp_path):
    made = Plane(tmp_path)
    yield made
    made.service.stop()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return film(tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A film of a second with three frames only."""
    return film(tmp_path_factory.mktemp("film"), frames=3)


def frames(clip):
    with av.open(io.BytesIO(clip)) as container:
        return [(round(frame.time, 3), number_of(frame)) for frame in container.decode(video=0)]


def numbered(start, count=10):
    return [(round(start + number / 10, 3), number) for number in range(count)]


def test_a_fragment_is_in_when_it_starts_in_the_range_both_ends_included(plane, one):
    for second in range(5):
        plane.put(one, start=START + second * 1000)
    assert frames(plane.clip(START + 1000, START + 3000)) == [
        frame for second in range(3) for frame in numbered(second)
    ]
    assert frames(plane.clip(START + 1001, START + 2000)) == numbered(0)


def test_of_two_with_one_producer_time_the_first_to_arrive_is_taken(plane, one, short):
    plane.put(one, start=START + 1000)
    plane.put(short, start=START)
    plane.now += 60
    plane.put(one, start=START)
    plane.put(short, start=START + 1000)
    assert frames(plane.clip(START, START + 5000)) == numbered(0, 3) + numbered(1)


def test_fragments_are_found_by_the_service_s_own_clock(plane, one):
    for _ in range(3):
        plane.put(one, start=START - DAY + round(plane.now * 1000) % 60_000)
        plane.now += 10
    selector = {
        "FragmentSelectorType": "SERVER_TIMESTAMP",
        "TimestampRange": times(START + 10_000, START + 20_000),
    }
    found = plane.ask("GetClip", ClipFragmentSelector=selector)
    assert frames(found) == numbered(0) + numbered(10)


def test_a_clip_has_two_hundred_fragments_at_most(plane, short):
    for number in range(205):
        plane.put(short, start=START + number * 1000)
    found = frames(plane.clip(START, START + 300_000))
    assert found == [frame for second in range(200) for frame in numbered(second, 3)]


def test_a_clip_has_a_hundred_megabytes_at_most(plane, one, monkeypatch):
    sizes = [plane.put(one, start=START + number * 1000).size for number in range(5)]
    assert get_clip.MAX_BYTES == 100 * 1024 * 1024
    monkeypatch.setattr(get_clip, "MAX_BYTES", sum(sizes[:3]))
    assert len(frames(plane.clip(START, START + 9000))) == 30
    monkeypatch.setattr(get_clip, "MAX_BYTES", sum(sizes[:3]) - 1)
    assert len(frames(plane.clip(START, START + 9000))) == 20


@pytest.mark.parametrize(
    ("kind", "start", "end", "name"),
    [
        ("PRODUCER_TIMESTAMP", 0, 0, "InvalidArgumentException"),
        ("PRODUCER_TIMESTAMP", 1, 0, "InvalidArgumentException"),
        ("PRODUCER_TIMESTAMP", 0, DAY + 1, "InvalidArgumentException"),
        ("SERVER_TIMESTAMP", 0, 1000, "InvalidArgumentException"),
        ("PRODUCER_TIMESTAMP", 1, DAY + 1, "ResourceNotFoundException"),
        ("SERVER_TIMESTAMP", -1000, -1, "ResourceNotFoundException"),
    ],
    ids=["empty", "backwards", "over a day", "in the future", "a day", "nothing there"],
)
def test_ranges_that_are_none_and_that_hold_nothing_are_named(plane, one, kind, start, end, name):
    plane.put(one, start=START)
    selector = {
        "FragmentSelectorType": kind,
        "TimestampRange": times(START + start, START + end),
    }
    with pytest.raises(KinesisVideoError) as caught:
        plane.ask("GetClip", ClipFragmentSelector=selector)
    assert caught.value.code == name


def test_who_asks_for_a_clip_while_the_laptop_aws_stops_is_told_so(plane, one):
    plane.put(one, start=START)
    plane.service.stop()
    with pytest.raises(KinesisVideoError) as caught:
        plane.clip(START, START + 1)
    assert (caught.value.code, caught.value.status) == ("ServiceUnavailableException", 503)


def test_what_expired_while_the_clip_was_made_is_left_out(plane, one):
    plane.put(one, start=START)
    last = plane.put(one, start=START + 1000)
    for path in plane.files:
        if last.number not in path.name:
            path.unlink()
    assert frames(plane.clip(START, START + 5000)) == numbered(0)
