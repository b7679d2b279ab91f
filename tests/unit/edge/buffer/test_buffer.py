"""What is kept on disk: when it gets there, what a crash leaves, and what is dropped."""

import errno
import os
import stat
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from edge.buffer import storage
from edge.buffer.buffer import FragmentBuffer
from edge.buffer.disk_writer import DiskWriter
from edge.buffer.fragment import Limits
from edge.buffer.storage import FragmentFiles, open_files, read_cluster
from edge.config import parse
from edge.errors import InUseError
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from edge.run import open_buffer
from edge.upload.delivery import Delivery

TRACK, OTHER = mkv.Track(64, 48, b"\x01one"), mkv.Track(96, 64, b"\x01two")
LIMIT_S = 20


def wait_for(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.005)


class Disk:
    """A buffer with a disk writer and its folder, as a run has them."""

    def __init__(self, folder, limits=None, copies=None):
        self.folder, self.said = folder, []
        self.storage = FragmentFiles(folder)
        self.found = self.storage.recover()
        self.buffer = FragmentBuffer(limits, found=self.found, say=self.said.append)
        self.writer = DiskWriter(self.buffer, self.storage, self.said.append, copies)
        self.writer.start()

    def put(self, *timecodes, track=TRACK, size=100, is_tagged=False):
        for timecode in timecodes:
            self.buffer.begin(timecode, track)
            for number in range(2):
                at_ms, data = timecode + 500 * number, bytes([number]) * size
                self.buffer.add(EncodedFrame(at_ms, number == 0, data))
            self.buffer.end(is_tagged=is_tagged)

    def written(self, number):
        wait_for(lambda: sum(bool(f.path) for f in self.waiting()) == number)

    def waiting(self):
        with self.buffer.lock:
            return list(self.buffer._fragments.values())

    def take(self):
        """Everything a connection would be given now."""
        self.delivery = Delivery(self.buffer, speed=float("inf"), monotonic=Later())
        return b"".join(iter(self.delivery.take, b"")), self.delivery

    def acknowledge(self, timecode):
        return self.delivery.settle(timecode, "persisted")

    def files(self):
        return sorted(self.folder.glob("*/*.fragment"))

    def die(self):
        """As after kill -9: nothing more is written, and the lock is gone."""
        os.close(self.storage._lock)
        self.storage._lock = os.open(os.devnull, os.O_RDONLY)


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

    def open_(limits=None, copies=None):
        disks.append(Disk(tmp_path / "buffer", limits, copies))
        return disks[-1]

    yield open_
    for one in disks:
        one.writer.stop()


@pytest.fixture
def written(monkeypatch):
    """All files that are written, in order."""
    paths, write = [], Path.write_bytes

    def note(path, data):
        paths.append(path)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", note)
    return paths


def test_while_acks_come_nothing_is_written(disk, written, tmp_path):
    kept = disk(copies=FragmentFiles(tmp_path / "memory"))
    for number, timecode in enumerate(range(1000, 6000, 1000), 1):
        kept.put(timecode)
        kept.take()
        wait_for(lambda number=number: len(written) >= number)
        assert kept.acknowledge(timecode)
    kept.writer.stop()
    assert [path for path in written if kept.folder in path.parents] == []


def test_what_waits_too_long_for_its_ack_is_written_and_its_memory_freed(disk):
    kept = disk(Limits(memory_s=0.05))
    kept.put(1000, 2000)
    kept.written(2)
    assert kept.buffer.memory_bytes == 0
    assert kept.buffer.buffered_bytes > 400


def test_while_the_connection_is_down_each_fragment_is_written_at_once(disk):
    kept = disk(Limits(memory_s=3600))
    kept.put(1000)
    kept.buffer.set_flowing(False)
    kept.written(1)
    kept.put(2000)
    kept.written(2)


def test_from_disk_comes_what_would_have_come_from_memory(disk):
    kept = disk(Limits(memory_s=3600))
    kept.put(1000, 2000, is_tagged=True)
    from_memory, _ = kept.take()
    kept.buffer.set_flowing(False)
    kept.written(2)
    from_disk, _ = kept.take()
    head = len(mkv.header(TRACK))
    assert from_disk[head:] == from_memory[head:]
    tagged = from_disk.index(mkv.image_generation())
    assert from_disk.index(mkv.end_of_fragment()) == tagged + len(mkv.image_generation())


def test_after_a_crash_what_was_written_is_found_with_its_track(disk):
    first = disk()
    first.buffer.set_flowing(False)
    first.put(1000)
    first.put(2000, track=OTHER)
    first.written(2)
    first.die()
    second = disk()
    assert [(f.timecode, f.last_ms, f.track) for f in second.found] == [
        (1000, 1500, TRACK),
        (2000, 2500, OTHER),
    ]
    assert second.buffer.counts.waiting == second.buffer.counts.fragments == 2


def test_what_was_acknowledged_is_not_found_again(disk):
    first = disk()
    first.buffer.set_flowing(False)
    first.put(1000, 2000, 3000)
    first.written(3)
    first.take()
    first.acknowledge(1000)
    wait_for(lambda: len(first.files()) == 2)
    first.die()
    assert [f.timecode for f in disk().found] == [2000, 3000]


def test_a_file_goes_with_its_fragment_and_the_folder_with_its_last_file(disk):
    kept = disk()
    kept.buffer.set_flowing(False)
    kept.put(*range(1000, 7000, 1000))
    kept.written(6)
    assert len(kept.files()) == 6
    for timecode in range(1000, 4000, 1000):
        kept.take()
        kept.acknowledge(timecode)
    wait_for(lambda: len(kept.files()) == 3)
    for timecode in range(4000, 7000, 1000):
        kept.take()
        kept.acknowledge(timecode)
    kept.writer.stop()
    assert not kept.folder.exists()


@pytest.mark.parametrize("cut", [1, 50, 150, 260, 340, 10_000])
def test_a_torn_end_is_left_out_and_the_rest_is_found(disk, cut):
    first = disk()
    first.buffer.set_flowing(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    whole, path = first.files()
    path.write_bytes(path.read_bytes()[:-cut])
    second = disk()
    assert [f.timecode for f in second.found] == [1000]
    assert second.files() == [whole], "what was torn takes no room"


def test_zeros_where_a_power_cut_came_before_the_data_are_no_fragment(disk):
    first = disk()
    first.buffer.set_flowing(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    path = first.files()[1]
    path.write_bytes(bytes(len(path.read_bytes())))
    assert [f.timecode for f in disk().found] == [1000]


def test_a_damaged_fragment_is_left_out_said_and_counted(disk):
    first = disk()
    first.buffer.set_flowing(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    path = first.files()[1]
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
    kept.buffer.set_flowing(False)
    kept.put(1000, 2000)
    kept.written(2)
    for path in kept.files():
        path.unlink()
    with pytest.raises(OSError, match="No such file"):
        read_cluster(kept.waiting()[0])
    assert [kept.take()[0] for _ in range(2)] == [b"", b""]
    assert kept.buffer.counts.dropped_by == {"damaged on disk": 2}


def test_what_was_written_is_synced_with_its_name_so_that_a_power_cut_leaves_it(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.SYNC_S", 0.05)
    sync, synced = os.fsync, set()

    def note(file):
        synced.add(Path(f"/proc/self/fd/{file}").readlink())
        sync(file)

    monkeypatch.setattr(os, "fsync", note)
    kept = disk()
    kept.buffer.set_flowing(False)
    kept.put(1000, 2000)
    kept.written(2)
    files = kept.files()
    wait_for(lambda: synced >= {kept.folder, files[0].parent, *files})


def test_order_is_kept_over_restarts(disk):
    for timecode in (1000, 3000, 5000):
        kept = disk()
        kept.buffer.set_flowing(False)
        kept.put(timecode, timecode + 1000)
        kept.written(len(kept.found) + 2)
        kept.die()
    times = [f.timecode for f in disk().found]
    assert times == [1000, 2000, 3000, 4000, 5000, 6000]


@pytest.fixture
def fast_folder(tmp_path):
    """A folder in memory where there is one: ten thousand files take a disk a while."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_a_long_cut_writes_each_fragment_once_in_small_folders_and_is_soon_recovered(fast_folder):
    number = 10_000  # of an hour are 3,600
    kept = Disk(fast_folder / "buffer")
    kept.buffer.set_flowing(False)
    before = bytes_written()
    for timecode in range(1000, 1000 * number + 1000, 1000):
        kept.put(timecode, size=500)
        if timecode % 100_000 == 0:
            wait_for(lambda: not kept.buffer.in_memory())
    kept.writer.stop()
    assert bytes_written() - before < 1.1 * kept.buffer.buffered_bytes
    folders = Counter(path.parent for path in kept.files())
    assert (sum(folders.values()), max(folders.values())) == (number, 1000)
    assert len(folders) < 10_000
    began = time.process_time()  # others may use the machine too
    found = FragmentFiles(fast_folder / "buffer").recover()
    assert time.process_time() - began < 2
    assert [f.timecode for f in found] == list(range(1000, 1000 * number + 1000, 1000))


def bytes_written():
    """What this process has handed to write() so far."""
    counts = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in counts)["wchar"])


def test_two_runs_do_not_share_a_folder(disk, tmp_path):
    disk()
    with pytest.raises(InUseError, match="another process"):
        FragmentFiles(tmp_path / "buffer")


def test_what_is_kept_is_its_owners_alone(disk):
    kept = disk()
    kept.buffer.set_flowing(False)
    kept.put(1000)
    kept.written(1)
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    (path,) = kept.files()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_disk_that_takes_nothing_leaves_no_torn_record(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    kept, write, is_full = disk(), Path.write_bytes, []
    kept.buffer.set_flowing(False)
    kept.put(1000)
    kept.written(1)

    def write_some(path, data):
        if is_full:
            write(path, data[:50])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    is_full.append(True)
    kept.put(2000, 3000)
    wait_for(lambda: kept.said)
    assert len(kept.files()) == 1
    is_full.clear()
    kept.written(3)
    kept.die()
    assert sorted(f.timecode for f in disk().found) == [1000, 2000, 3000]
    assert len([text for text in kept.said if "takes nothing" in text]) == 1
    assert "The disk takes fragments again." in kept.said


def test_on_a_disk_that_others_fill_the_oldest_makes_room_for_the_newest(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    kept, write = disk(Limits(memory_bytes=600)), Path.write_bytes
    kept.buffer.set_flowing(False)
    for number in range(1, 9):
        kept.put(1000 * number)
        kept.written(number)
    room = sum(path.stat().st_size for path in kept.files())

    def write_within(path, data):
        if sum(path.stat().st_size for path in kept.files()) + len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_within)
    for timecode in range(9000, 19_000, 1000):
        kept.put(timecode)
        wait_for(lambda: kept.buffer.memory_bytes <= 900)
    with kept.buffer.lock:
        times = [f.timecode for f in kept.waiting()]
    assert times[-1] == 18_000
    assert times == list(range(times[0], 19_000, 1000)), "the oldest, in a row"
    assert kept.buffer.counts.dropped == 18 - len(times)


def test_memory_is_bounded_while_the_disk_takes_nothing(disk, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    kept = disk(Limits(memory_bytes=1000))
    kept.put(*range(1000, 30_000, 1000))
    assert kept.buffer.memory_bytes <= 2300
    assert kept.buffer.counts.dropped_by["disk failed"] > 10
    assert kept.waiting()[-1].timecode == 29_000


def test_what_is_on_a_disk_that_has_become_read_only_is_not_dropped_for_nothing(disk, monkeypatch):
    kept = disk(Limits(memory_bytes=600))
    kept.buffer.set_flowing(False)
    kept.put(1000, 2000)
    kept.written(2)

    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    kept.put(*range(3000, 13_000, 1000))
    wait_for(lambda: kept.said)
    assert [f.timecode for f in kept.waiting()][:2] == [1000, 2000]
    assert kept.buffer.counts.dropped_by["disk failed"] > 5


def test_a_disk_that_has_become_read_only_is_survived(disk, monkeypatch):
    """As Linux does with a card that fails: nothing can be deleted any more either."""
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    kept, write, is_full = disk(), Path.write_bytes, [True]
    kept.buffer.set_flowing(False)
    kept.put(1000, 2000)
    kept.written(2)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *file: refuse() if is_full else write(*file))
        patch.setattr(Path, "unlink", refuse)
        for fragment in kept.waiting():
            kept.buffer.remove(fragment, "persisted")
        kept.put(3000)
        wait_for(lambda: kept.said)
        is_full.clear()
        kept.written(1)
    assert [f.timecode for f in kept.waiting()] == [3000]


def test_a_file_that_cannot_be_read_costs_its_fragment_only(disk, monkeypatch):
    kept, read = disk(), storage.read_header
    kept.buffer.set_flowing(False)
    kept.put(1000, 2000, 3000)
    kept.written(3)
    kept.die()

    def read_others(path):
        if path == damaged:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    damaged = kept.files()[1]
    monkeypatch.setattr(storage, "read_header", read_others)
    assert [f.timecode for f in disk().found] == [1000, 3000]


def test_a_folder_that_may_not_be_written_is_said_and_memory_used(tmp_path):
    (tmp_path / "file").write_text("in the way")
    config = parse(["--camera", "gate", "--buffer-folder", str(tmp_path / "file" / "below")])
    said = []
    with open_buffer(config, "url region stream", said.append) as buffer:
        buffer.begin(1000, TRACK)
        buffer.add(EncodedFrame(1000, True, b"frame"))
        buffer.close()
        assert buffer.next_after(None).timecode == 1000
    assert "--buffer-folder" in said[0]
    assert said[-1] == "1 fragments are lost: the disk took none."


def test_what_was_captured_for_another_stream_is_not_found_and_goes_when_too_old(tmp_path):
    one = open_files(tmp_path, "https://one eu-central-1 door", 600)
    buffer = FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"frame"))
    fragment = buffer.next_after(None)
    buffer.end(is_tagged=False)
    path = Path(one.write(fragment))
    os.utime(path, (0, 0))
    other = open_files(tmp_path, "https://other eu-central-1 door", 600)
    assert other.recover() == []
    assert path.exists(), "somebody is using it"
    one.close()
    another = open_files(tmp_path, "https://another eu-central-1 door", 600)
    assert not path.parent.parent.exists()
    other.close()
    another.close()


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
    buffer = FragmentBuffer(is_held_back=True)
    for timecode, is_wanted in ((1000, False), (2000, True)):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, b"frame"))
        assert buffer.next_after(None) is None, "not before it is known whether it is wanted"
        buffer.end(is_tagged=is_wanted, is_wanted=is_wanted)
    assert buffer.next_after(None).timecode == 2000
    assert (buffer.counts.unwanted, buffer.counts.waiting) == (1, 1)
