"""Media goes when its retention is over, from every answer and from the disk."""

import asyncio
import contextlib

import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.store import state
from local.tests.support.kinesisvideo.plane import START, Plane, film

HOUR = 3600
SECOND = 1000


@pytest.fixture(scope="module")
def one_second(tmp_path_factory):
    return film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def plane(tmp_path):
    made = Plane(tmp_path)
    yield made
    made.service.stop()


def error_of(call, *arguments, **asked):
    with pytest.raises(KinesisVideoError) as caught:
        call(*arguments, **asked)
    return caught.value.code


def is_readable(plane, fragment):
    """Whether each reading operation has the fragment; they agree."""
    start = fragment.producer_ms
    numbers = [one["FragmentNumber"] for one in plane.listed(start, start)]
    media = plane.ask("GetMediaForFragmentList", Fragments=[fragment.number])
    images = plane.images(start, start)["Images"]
    try:
        clip = plane.clip(start, start + 1)
    except KinesisVideoError as error:
        assert error.code == "ResourceNotFoundException"
        clip = b""
    found = {
        numbers == [fragment.number],
        b"SERVER_SIDE_TIMESTAMP" in media,
        "ImageContent" in images[0],
        bool(clip),
    }
    assert len(found) == 1
    assert found.pop() == (b"EXCEPTION_ERROR_CODE" not in media)
    return "ImageContent" in images[0]


def test_a_fragment_is_there_for_as_long_as_its_stream_retains_it(plane, one_second):
    old = plane.put(one_second)
    plane.now += 10
    new = plane.put(one_second)
    plane.now = START / 1000 + HOUR
    assert is_readable(plane, old) and is_readable(plane, new)
    plane.now += 1
    assert not is_readable(plane, old)
    assert is_readable(plane, new)
    assert [path.name.rpartition("-")[2] for path in plane.files] == [f"{new.number}.fragment"]


def test_the_retention_goes_by_when_media_arrived_not_by_when_it_was_made(plane, one_second):
    made_long_ago = plane.put(one_second, start=START - 50 * HOUR * SECOND)
    assert is_readable(plane, made_long_ago)


def test_more_retention_keeps_what_is_there_for_longer(plane, one_second):
    fragment = plane.put(one_second)
    plane.retain(+1)
    plane.now += 2 * HOUR
    assert is_readable(plane, fragment)
    plane.now += 1
    assert not is_readable(plane, fragment)


def test_less_retention_deletes_what_is_older_at_once(plane, one_second):
    plane.retain(+3)
    plane.put(one_second)
    plane.now += 2 * HOUR
    young = plane.put(one_second)
    plane.retain(-3)
    assert [path.name.rpartition("-")[2] for path in plane.files] == [f"{young.number}.fragment"]
    assert is_readable(plane, young)


def test_without_retention_nothing_is_archived_and_nothing_ever_will_be(plane, one_second):
    archived = plane.put(one_second)
    plane.retain(-1)
    buffered = plane.put(one_second)
    assert error_of(plane.images, START, START) == "NoDataRetentionException"
    assert error_of(plane.clip, START, START + 1) == "NoDataRetentionException"
    assert plane.listed() == []
    numbers = [archived.number, buffered.number]
    media = plane.ask("GetMediaForFragmentList", Fragments=numbers)
    assert media.count(b"EXCEPTION_ERROR_CODE") == 2
    # The buffer for live readers still has them; the archive does not take them back.
    assert len(plane.files) == 2
    plane.now += 1
    plane.retain(+1)
    assert not is_readable(plane, archived)
    assert not is_readable(plane, buffered)
    assert is_readable(plane, plane.put(one_second))


def test_the_buffer_of_a_stream_without_retention_lasts_five_minutes(plane, one_second):
    plane.retain(-1)
    plane.put(one_second)
    plane.now += 300
    plane.service.store.expire()
    assert len(plane.files) == 1
    plane.now += 1
    plane.service.store.expire()
    assert plane.files == []


def test_what_nobody_asks_for_leaves_the_disk_too(plane, one_second, monkeypatch):
    plane.put(one_second)
    monkeypatch.setattr(state, "EXPIRY_SECONDS", 0.01)

    async def run():
        expiring = asyncio.create_task(plane.service.expire_periodically())
        await asyncio.sleep(0.05)
        assert len(plane.files) == 1
        plane.now += HOUR + 1
        async with asyncio.timeout(10):
            while plane.files:
                await asyncio.sleep(0.01)
        expiring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await expiring

    asyncio.run(run())


@pytest.mark.parametrize("operation", ["Notification", "ImageGeneration"])
def test_a_configuration_of_tagged_fragments_needs_retention(plane, operation):
    plane.retain(-1)
    found = error_of(plane.control, f"Update{operation}Configuration", StreamName="door")
    assert found == "NoDataRetentionException"


@pytest.mark.parametrize("change", [-2, 87_600])
def test_the_retention_stays_within_aws_s_bounds(plane, change):
    assert error_of(plane.retain, change) == "InvalidArgumentException"
    assert plane.stream.retention_hours == 1
    plane.retain(87_599)
    assert plane.stream.retention_hours == 87_600


def test_a_listing_goes_on_although_what_it_gave_has_expired(plane, one_second):
    for _ in range(6):
        plane.put(one_second)
        plane.now += 10
    selector = {
        "FragmentSelectorType": "SERVER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 2 * START / 1000},
    }
    first = plane.ask("ListFragments", FragmentSelector=selector, MaxResults=2)
    plane.now = START / 1000 + HOUR + 21  # three have expired
    rest = plane.ask("ListFragments", NextToken=first["NextToken"])
    seen = {one["FragmentNumber"] for one in first["Fragments"]}
    later = {one["FragmentNumber"] for one in rest["Fragments"]}
    everything = {one["FragmentNumber"] for one in plane.listed()}
    assert len(everything) == 3
    assert everything <= seen | later
    assert not seen & later
