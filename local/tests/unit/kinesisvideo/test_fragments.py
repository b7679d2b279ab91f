"""The store of fragments, with a clock that the test sets."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.kinesisvideo.mkv.parser import FragmentFinished
from local.kinesisvideo.store import fragments
from local.kinesisvideo.store.fragment_index import Selector
from local.kinesisvideo.store.fragments import FragmentStore
from local.kinesisvideo.store.state import current_service

DOOR, YARD = (f"arn:aws:kinesisvideo:us-east-1:0:stream/{name}/1" for name in ("door", "yard"))
NOON = 1_800_000_000


class Shop:
    """A store with its clock, its streams' retention, and a way to add fragments."""

    def __init__(self, directory, **limits):
        self.now = NOON
        self.hours = {DOOR: 1, YARD: 24}
        self.directory = directory
        clock = self.clock
        self.store = FragmentStore(directory, self.hours.get, clock=clock, **limits)

    def clock(self):
        return self.now

    def add(self, arn=DOOR, *, producer=None, size=100, tags=()):
        media = FragmentFinished(0, 0, 1000, b"header|", b"x" * (size - 7), tags)
        number, server = self.store.next_number(), round(self.now * 1000)
        producer = server if producer is None else producer
        return self.store.add(arn, number, media, producer=producer, server=server)

    def files(self):
        return sorted(path.stem.partition("-")[2] for path in self.directory.rglob("*.fragment"))


@pytest.fixture
def stored(tmp_path):
    return Shop(tmp_path)


def numbers(found):
    return [fragment.number for fragment in found]


def test_a_fragment_comes_back_as_it_was_put(stored):
    fragment = stored.add(tags=(("zone", "7"),))
    assert stored.store.by_number(DOOR, fragment.number) == fragment
    assert stored.store.read(DOOR, fragment) == (b"header|", b"x" * 93)


def test_fragment_numbers_rise_and_look_like_aws_s(stored):
    found = [stored.store.next_number() for _ in range(100)]
    assert found == sorted(found, key=int)
    assert {len(number) for number in found} == {47}


def test_a_range_has_both_its_ends_and_is_ordered_by_time(stored):
    times = (3000, 1000, 2000, 4000)
    by_time = {time: stored.add(producer=time).number for time in times}
    found = stored.store.between(DOOR, Selector.PRODUCER, 2000, 3000)
    assert numbers(found) == [by_time[2000], by_time[3000]]


def test_the_two_clocks_are_looked_up_apart(stored):
    fragment = stored.add(producer=5)
    at = NOON * 1000
    assert numbers(stored.store.between(DOOR, Selector.SERVER, at, at)) == [fragment.number]
    assert stored.store.between(DOOR, Selector.PRODUCER, at, at) == []


def test_readers_go_on_in_order_of_arrival(stored):
    first, second, third = (stored.add(producer=time).number for time in (30, 20, 10))
    assert numbers(stored.store.after(DOOR, 0)) == [first, second, third]
    assert numbers(stored.store.after(DOOR, 2)) == [third]
    assert stored.store.last_arrival(DOOR) == 3


def test_streams_do_not_see_each_other_s_fragments(stored):
    stored.add(DOOR)
    assert stored.store.after(YARD, 0) == []


def test_what_is_older_than_the_retention_is_gone_from_disk_too(stored):
    old = stored.add()
    stored.now += 3599
    assert numbers(stored.store.after(DOOR, 0)) == [old.number]
    stored.now += 2
    assert stored.store.after(DOOR, 0) == []
    assert stored.store.by_number(DOOR, old.number) is None
    assert stored.store.read(DOOR, old) is None
    assert stored.files() == []


def test_each_stream_has_its_own_retention(stored):
    stored.add(DOOR)
    kept = stored.add(YARD)
    stored.now += 2 * 3600
    stored.store.expire()
    assert stored.files() == [kept.number]


def test_a_shorter_retention_holds_at_once(stored):
    kept = stored.add(YARD)
    stored.now += 2 * 3600
    assert numbers(stored.store.after(YARD, 0)) == [kept.number]
    stored.hours[YARD] = 1
    stored.store.expire()
    assert stored.files() == []


def test_without_retention_five_minutes_are_kept(stored):
    stored.hours[DOOR] = 0
    stored.add()
    stored.now += 299
    recent = stored.add()
    stored.now += 2
    assert numbers(stored.store.after(DOOR, 0)) == [recent.number]


def test_without_retention_only_so_much_is_kept(stored, monkeypatch):
    monkeypatch.setattr(fragments, "BUFFER_BYTES", 250)
    stored.hours[DOOR] = 0
    found = [stored.add(size=100).number for _ in range(3)]
    assert numbers(stored.store.after(DOOR, 0)) == found[1:]


def test_beyond_the_store_s_limit_the_oldest_of_all_streams_goes(tmp_path):
    stored = Shop(tmp_path, limit_bytes=350)
    kept = []
    for arn in (DOOR, YARD, YARD, DOOR):
        kept.append(stored.add(arn, size=100).number)
        stored.now += 1
    assert stored.files() == sorted(kept[1:])
    assert stored.store.after(DOOR, 0)[0].number == kept[3]


def test_the_store_s_limit_is_a_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("KVS_STORE_MEGABYTES", "1")
    service = current_service.__wrapped__()
    arn = service.streams.create("door", retention_hours=1).arn
    now = round(service.clock() * 1000)
    for number in "1", "2":
        media = FragmentFinished(0, 0, 1000, b"", b"x" * 700_000, ())
        service.store.add(arn, number, media, producer=now, server=now)
    service.stop()
    assert numbers(service.store.after(arn, 0)) == ["2"]
    assert len(list(tmp_path.rglob("*.fragment"))) == 1


def test_numbers_of_arrival_go_on_when_everything_has_expired(stored):
    stored.add()
    stored.now += 4000
    assert stored.add().arrival == 2


def test_nothing_is_left_of_a_fragment_that_the_disk_refused(stored, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    media = FragmentFinished(0, 0, 1000, b"header|", b"x", ())
    monkeypatch.setattr(fragments.FragmentIndex, "add", full)
    with pytest.raises(OSError, match="no space"):
        stored.store.add(DOOR, "1", media, producer=0, server=0)
    assert [path for path in stored.directory.rglob("*") if path.is_file()] == []


def test_no_fragment_is_added_to_a_stream_that_is_gone(stored):
    del stored.hours[DOOR]
    with pytest.raises(fragments.StreamGoneError):
        stored.add(DOOR)
    assert [path for path in stored.directory.rglob("*") if path.is_file()] == []


def test_a_slow_disk_holds_up_no_reader(stored, monkeypatch):
    """Whoever only asks what there is gets an answer while a fragment is being written."""
    writing, done = threading.Event(), threading.Event()

    def slow(*_):
        writing.set()
        done.wait(10)
        raise OSError("gave up")

    monkeypatch.setattr(fragments, "write_file", slow)
    with ThreadPoolExecutor(1) as other:
        added = other.submit(stored.add)
        assert writing.wait(10)
        assert stored.store.after(DOOR, 0) == []
        assert not added.done()
        done.set()
        assert isinstance(added.exception(10), OSError)


def test_a_deleted_stream_leaves_nothing(stored):
    stored.add(DOOR)
    kept = stored.add(YARD)
    stored.store.forget(DOOR)
    assert stored.files() == [kept.number]


def test_who_watches_a_stream_hears_of_its_fragments_and_of_its_end(stored):
    async def watch():
        with stored.store.watch(DOOR) as door, stored.store.watch(YARD) as yard:
            await asyncio.to_thread(stored.add, DOOR)
            await asyncio.wait_for(door.wait(), 2)
            heard_of_other = yard.is_set()
            await asyncio.to_thread(stored.store.forget, YARD)
            await asyncio.wait_for(yard.wait(), 2)
            return heard_of_other

    assert asyncio.run(watch()) is False
