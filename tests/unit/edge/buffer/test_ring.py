"""What is kept on disk: when it gets there, what a crash leaves, and what is dropped."""

import errno
import os
import stat
import threading
import time

import pytest

from edge import ring, segment
from edge.config import parse
from edge.errors import InUseError
from edge.fragments import EncodedFrame, FragmentBuffer, Limits
from edge.keeper import Keeper
from edge.media import mkv
from edge.ring import DamagedError, Ring
from edge.storage import delete_outdated, kept_fragments, open_ring
from edge.upload.delivery import Delivery

TRACK, OTHER = mkv.Track(64, 48, b"\x01one"), mkv.Track(96, 64, b"\x01two")
LIMIT_S = 20


def wait_for(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.005)


class Disk:
    """A buffer with a keeper and its folder, as a run has them."""

    def __init__(self, folder, limits=None, segment_bytes=ring.SEGMENT_BYTES):
        self.folder, self.said = folder, []
        self.ring = Ring(folder, segment_bytes)
        self.found = self.ring.find()
        self.buffer = FragmentBuffer(limits, found=self.found, say=self.said.append)
        self.keeper = Keeper(self.buffer, self.ring, self.said.append)
        self.keeper.start()

    def put(self, *timecodes, track=TRACK, size=100, is_tagged=False):
        for timecode in timecodes:
            self.buffer.begin(timecode, track)
            for number in range(2):
                at_ms, data = timecode + 500 * number, bytes([number]) * size
                self.buffer.add(EncodedFrame(at_ms, number == 0, data))
            self.buffer.end(is_tagged=is_tagged)

    def written(self, number):
        wait_for(lambda: sum(f.place is not None for f in self.waiting()) == number)

    def waiting(self):
        with self.buffer.lock:
            return list(self.buffer._stock.fragments.values())

    def take(self):
        """Everything a connection would be given now."""
        delivery = Delivery(self.buffer, self.ring.read, speed=float("inf"), monotonic=Later())
        return b"".join(iter(delivery.take, b"")), delivery

    def files(self):
        return sorted(self.folder.glob("*.ring"))

    def die(self):
        """As after kill -9: nothing more is written, and the lock is gone."""
        self.keeper._run = None
        os.close(self.ring._lock)
        self.ring._lock = os.open(os.devnull, os.O_RDONLY)


class Later:
    """A clock by which the next fragment is always due."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def disk(tmp_path):
    disks = []

    def open_(limits=None, **options):
        disks.append(Disk(tmp_path / "ring", limits, **options))
        return disks[-1]

    yield open_
    for one in disks:
        one.keeper.stop()


def test_while_acks_come_nothing_is_written(disk):
    kept = disk()
    for timecode in range(1000, 6000, 1000):
        kept.put(timecode)
        kept.take()
        assert kept.buffer.settle(timecode)
    assert kept.files() == []


def test_what_waits_too_long_for_its_ack_is_written_and_its_memory_freed(disk):
    kept = disk(Limits(memory_s=0.05))
    kept.put(1000, 2000)
    kept.written(2)
    assert kept.buffer.memory_bytes == 0
    assert kept.buffer.buffered_bytes > 400


def test_while_the_connection_is_down_each_fragment_is_written_at_once(disk):
    kept = disk(Limits(memory_s=3600))
    kept.put(1000)
    kept.buffer.flows(False)
    kept.written(1)
    kept.put(2000)
    kept.written(2)


def test_from_disk_comes_what_would_have_come_from_memory(disk):
    kept = disk(Limits(memory_s=3600))
    kept.put(1000, 2000, is_tagged=True)
    from_memory, _ = kept.take()
    kept.buffer.flows(False)
    kept.written(2)
    from_disk, _ = kept.take()
    head = len(mkv.header(TRACK))
    assert from_disk[head:] == from_memory[head:]
    tagged = from_disk.index(mkv.image_generation())
    assert from_disk.index(mkv.end_of_fragment()) == tagged + len(mkv.image_generation())


def test_after_a_crash_what_was_written_is_found_with_its_track(disk):
    first = disk()
    first.buffer.flows(False)
    first.put(1000)
    first.put(2000, track=OTHER)
    first.written(2)
    first.die()
    second = disk()
    assert [(f.timecode, f.last_ms, f.track) for f in second.found] == [
        (1000, 1500, TRACK),
        (2000, 2500, OTHER),
    ]
    assert second.buffer.counts.found == second.buffer.counts.fragments == 2


def test_what_was_acknowledged_is_not_found_again(disk):
    first = disk()
    first.buffer.flows(False)
    first.put(1000, 2000, 3000)
    first.written(3)
    first.take()
    first.buffer.settle(1000)
    wait_for(lambda: not first.buffer.has_given_up)
    wait_for(lambda: len(list(segment.read(first.files()[0], 1))) == 2)
    first.die()
    assert [f.timecode for f in disk().found] == [2000, 3000]


def test_a_file_goes_with_its_last_fragment_and_the_folder_with_its_last_file(disk):
    kept = disk(segment_bytes=500)
    kept.buffer.flows(False)
    kept.put(*range(1000, 7000, 1000))
    kept.written(6)
    assert len(kept.files()) > 2
    for timecode in range(1000, 4000, 1000):
        kept.take()
        kept.buffer.settle(timecode)
    wait_for(lambda: len(kept.files()) <= 3)
    for timecode in range(4000, 7000, 1000):
        kept.take()
        kept.buffer.settle(timecode)
    kept.keeper.stop()
    assert not kept.folder.exists()


@pytest.mark.parametrize("cut", [1, 50, 150, 260])
def test_a_torn_end_is_left_out_and_the_rest_is_found(disk, cut):
    first = disk()
    first.buffer.flows(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    (path,) = first.files()
    path.write_bytes(path.read_bytes()[:-cut])
    assert [f.timecode for f in disk().found] == [1000]


def test_zeros_where_a_power_cut_came_before_the_data_are_no_fragment(disk):
    first = disk()
    first.buffer.flows(False)
    first.put(1000)
    first.written(1)
    first.die()
    (path,) = first.files()
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert [f.timecode for f in disk().found] == [1000]


def test_a_damaged_fragment_is_left_out_said_and_counted(disk):
    first = disk()
    first.buffer.flows(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    (path,) = first.files()
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF
    path.write_bytes(data)
    second = disk()
    sent, _ = second.take()
    assert sent.count(mkv.end_of_fragment()) == 1
    assert second.buffer.counts.dropped_by == {"damaged on disk": 1}
    assert "damaged on disk" in second.said[-1]


def test_a_file_that_somebody_deleted_is_no_crash(disk):
    kept = disk()
    kept.buffer.flows(False)
    kept.put(1000, 2000)
    kept.written(2)
    place = kept.waiting()[0].place
    kept.files()[0].unlink()
    with pytest.raises(DamagedError):
        kept.ring.read(place)
    assert [kept.take()[0] for _ in range(2)] == [b"", b""]
    assert kept.buffer.counts.damaged == 2


def test_two_runs_do_not_share_a_folder(disk, tmp_path):
    disk()
    with pytest.raises(InUseError, match="another process"):
        Ring(tmp_path / "ring")


def test_what_is_kept_is_its_owners_alone(disk):
    kept = disk()
    kept.buffer.flows(False)
    kept.put(1000)
    kept.written(1)
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.files()[0].stat().st_mode) == 0o600


def test_a_disk_that_takes_nothing_leaves_no_torn_record(disk, monkeypatch):
    monkeypatch.setattr("edge.keeper.RETRY_S", 0.02)
    kept, write, is_full = disk(), ring._write, []
    kept.buffer.flows(False)
    kept.put(1000)
    kept.written(1)

    def write_some(file, data):
        if is_full:
            os.write(file, data[:50])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    monkeypatch.setattr(ring, "_write", write_some)
    is_full.append(True)
    kept.put(2000, 3000)
    wait_for(lambda: kept.keeper.failure)
    is_full.clear()
    kept.written(3)
    kept.die()
    assert sorted(f.timecode for f in disk().found) == [1000, 2000, 3000]
    assert len([text for text in kept.said if "takes nothing" in text]) == 1
    assert "The disk takes fragments again." in kept.said


def test_on_a_disk_that_others_fill_the_oldest_makes_room_for_the_newest(disk, monkeypatch):
    monkeypatch.setattr("edge.keeper.RETRY_S", 0.02)
    kept, write = disk(Limits(memory_bytes=600), segment_bytes=900), ring._write
    kept.buffer.flows(False)
    for number in range(1, 9):
        kept.put(1000 * number)
        kept.written(number)
    room = sum(path.stat().st_size for path in kept.files())

    def write_within(file, data):
        if sum(path.stat().st_size for path in kept.files()) + len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, data)

    monkeypatch.setattr(ring, "_write", write_within)
    for timecode in range(9000, 19_000, 1000):
        kept.put(timecode)
        wait_for(lambda: kept.buffer.memory_bytes <= 900)
    with kept.buffer.lock:
        times = [f.timecode for f in kept.waiting()]
    assert times[-1] == 18_000
    assert times == list(range(times[0], 19_000, 1000)), "the oldest, in a row"
    assert kept.buffer.counts.dropped == 18 - len(times)


def test_memory_is_bounded_while_the_disk_takes_nothing(disk, monkeypatch):
    def refuse(file, data):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ring, "_write", refuse)
    kept = disk(Limits(memory_bytes=1000))
    kept.put(*range(1000, 30_000, 1000))
    assert kept.buffer.memory_bytes <= 2300
    assert kept.buffer.counts.dropped_by["disk failed"] > 10
    assert kept.waiting()[-1].timecode == 29_000


def test_a_disk_that_has_become_read_only_is_survived(disk, monkeypatch):
    """As Linux does with a card that fails: nothing can be deleted any more either."""
    monkeypatch.setattr("edge.keeper.RETRY_S", 0.02)
    kept, write, is_full = disk(segment_bytes=300), ring._write, [True]
    kept.buffer.flows(False)
    kept.put(1000, 2000)
    kept.written(2)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(ring, "_write", lambda file, data: refuse() if is_full else write(file, data))
        patch.setattr(type(kept.folder), "unlink", refuse)
        for fragment in kept.waiting():
            kept.buffer.is_begun(fragment)
            kept.buffer.settle(fragment.timecode)
        kept.put(3000)
        wait_for(lambda: kept.keeper.failure)
        is_full.clear()
        kept.written(1)
    assert [f.timecode for f in kept.waiting()] == [3000]


def test_a_file_that_cannot_be_read_to_its_end_gives_what_comes_before(disk, monkeypatch):
    kept, read = disk(), segment.read
    kept.buffer.flows(False)
    kept.put(1000, 2000)
    kept.written(2)
    kept.die()

    def read_one(path, number):
        yield next(read(path, number))
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(segment, "read", read_one)
    assert [f.timecode for f in disk().found] == [1000]


def test_a_folder_that_may_not_be_written_is_said_and_memory_used(tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = []
    assert open_ring(tmp_path / "file" / "below", "url region stream", 1, said.append) is None
    assert "--buffer-folder" in said[0]


def test_what_could_not_be_kept_is_said_at_the_end(tmp_path):
    (tmp_path / "file").write_text("in the way")
    config = parse(["--camera", "gate", "--buffer-folder", str(tmp_path / "file" / "below")])
    said = []
    with kept_fragments(config, "url region stream", said.append) as (buffer, _):
        buffer.begin(1000, TRACK)
        buffer.add(EncodedFrame(1000, True, b"frame"))
        buffer.close()
    assert said[-1] == "1 fragments are lost: the disk took none."


def test_what_was_captured_for_another_stream_is_not_found_and_goes_when_too_old(tmp_path):
    one = open_ring(tmp_path, "https://one eu-central-1 door", 1 << 20, print)
    buffer = FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"frame"))
    fragment = buffer.after(None)
    buffer.end(is_tagged=False)
    one.append(fragment)
    other = open_ring(tmp_path, "https://other eu-central-1 door", 1 << 20, print)
    assert other.find() == []
    (path,) = tmp_path.glob("*/*.ring")
    os.utime(path, (0, 0))
    delete_outdated(tmp_path, 600)
    assert path.exists(), "somebody is using it"
    one.close()
    delete_outdated(tmp_path, 600)
    assert not path.parent.exists()
    other.close()


def test_a_source_that_can_wait_waits_for_room_and_not_for_ever():
    buffer = FragmentBuffer(Limits(ahead=2))
    put = []

    def capture():
        for timecode in range(1000, 6000, 1000):
            buffer.begin(timecode, TRACK)
            buffer.add(EncodedFrame(timecode, True, b"frame"))
            buffer.end(is_tagged=False)
            put.append(timecode)

    thread = threading.Thread(target=capture)
    thread.start()
    wait_for(lambda: put == [1000, 2000])
    buffer.is_begun(buffer.after(None))
    buffer.settle(1000)
    wait_for(lambda: put == [1000, 2000, 3000])
    buffer.wait_no_more()
    thread.join(LIMIT_S)
    assert put[-1] == 5000


def test_what_is_too_far_behind_is_dropped_when_it_is_captured_and_when_it_is_found():
    buffer = FragmentBuffer(Limits(behind_s=5))
    for timecode in range(1000, 11_000, 1000):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, b"frame"))
    assert buffer.after(None).timecode == 5000
    assert buffer.counts.dropped_by == {"too far behind": 4}
    buffer.drop_older_than(20_000)
    assert buffer.oldest.timecode == 10_000, "the one under way stays"


def test_a_fragment_that_is_not_wanted_is_never_sent():
    buffer = FragmentBuffer(is_held_back=True)
    for timecode, is_wanted in ((1000, False), (2000, True)):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, b"frame"))
        assert buffer.after(None) is None, "not before it is known whether it is wanted"
        buffer.end(is_tagged=is_wanted, is_wanted=is_wanted)
    assert buffer.after(None).timecode == 2000
    assert (buffer.counts.unwanted, buffer.counts.waiting) == (1, 1)
