"""The files of fragments: what is recovered from them, in which order, and who may read them."""

import errno
import io
import os
import stat
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from edge.buffer import storage
from edge.buffer.buffer import FragmentBuffer
from edge.buffer.fragment import Fragment, Limits
from edge.buffer.storage import FragmentFiles, open_files, read_cluster
from edge.errors import InUseError
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from tests.support.edge.buffer import OTHER, TRACK, Disk, wait_for


def test_from_disk_comes_what_would_have_come_from_memory(disk):
    kept = disk(Limits(memory_s=3600))
    kept.put(1000, 2000, is_tagged=True)
    from_memory, _ = kept.take()
    kept.buffer.set_online(False)
    kept.written(2)
    from_disk, _ = kept.take()
    head = len(mkv.header(TRACK))
    assert from_disk[head:] == from_memory[head:]
    tagged = from_disk.index(mkv.image_generation({}))
    assert from_disk.index(mkv.end_of_fragment()) == tagged + len(mkv.image_generation({}))


def test_after_a_crash_what_was_written_is_found_with_its_track(disk):
    first = disk()
    first.buffer.set_online(False)
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


@pytest.mark.parametrize("cut", [1, 50, 150, 260, 340, 10_000])
def test_a_torn_end_is_left_out_and_the_rest_is_found(disk, cut):
    first = disk()
    first.buffer.set_online(False)
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
    first.buffer.set_online(False)
    first.put(1000, 2000)
    first.written(2)
    first.die()
    path = first.files()[1]
    path.write_bytes(bytes(len(path.read_bytes())))
    assert [f.timecode for f in disk().found] == [1000]


def test_of_a_file_of_garbage_only_the_header_is_read(disk, monkeypatch):
    first = disk()
    first.buffer.set_online(False)
    first.put(1000)
    first.written(1)
    first.die()
    (whole,) = first.files()
    garbage = whole.with_name("0000000002.fragment")
    garbage.write_bytes(b"\xff" * 1000)  # 4 GB of codec data, says its header
    no_number = whole.with_name("0000000003x.fragment")
    no_number.write_bytes(whole.read_bytes())
    read, open_ = [], Path.open

    class Noted(io.FileIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda path, mode: Noted(path))
    assert [f.timecode for f in disk().found] == [1000]
    monkeypatch.setattr(Path, "open", open_)
    assert max(read) < 100
    assert first.files() == [whole], "what is no fragment takes no room"


def test_a_file_of_a_fragment_without_frames_is_incomplete(tmp_path):
    files = FragmentFiles(tmp_path / "buffer")
    empty = Fragment(1000, TRACK, pieces=[mkv.cluster(1000)])
    path = Path(files.write(empty))
    with pytest.raises(OSError, match="incomplete"):
        storage.read_header(path)
    assert files.recover(print) == []
    assert not path.exists()
    files.close()


def test_files_of_an_earlier_format_are_deleted_and_counted(tmp_path):
    files, said = FragmentFiles(tmp_path), []
    for number in (1, 2):
        (tmp_path / f"{number:010d}.ring").write_bytes(b"video")
    assert files.recover(said.append) == []
    assert list(tmp_path.glob("*.ring")) == []
    assert said == ["2 files of version 0.1.0 are deleted: this version cannot send them."]
    files.recover(said.append)
    assert len(said) == 1
    files.close()


def test_a_damaged_fragment_is_left_out_said_and_counted(disk):
    first = disk()
    first.buffer.set_online(False)
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
    wait_for(lambda: second.said)
    assert "damaged on disk" in second.said[-1]


def test_a_file_that_somebody_deleted_is_no_crash(disk):
    kept = disk()
    kept.buffer.set_online(False)
    kept.put(1000, 2000)
    kept.written(2)
    for path in kept.files():
        path.unlink()
    with pytest.raises(OSError, match="No such file"):
        read_cluster(kept.waiting()[0])
    assert [kept.take()[0] for _ in range(2)] == [b"", b""]
    assert kept.buffer.counts.dropped_by == {"damaged on disk": 2}


def test_order_is_kept_over_restarts(disk):
    for timecode in (1000, 3000, 5000):
        kept = disk()
        kept.buffer.set_online(False)
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
    kept.buffer.set_online(False)
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
    files = FragmentFiles(fast_folder / "buffer")
    began = time.process_time()  # others may use the machine too
    found = files.recover(print)
    assert time.process_time() - began < 2
    files.close()
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
    kept.buffer.set_online(False)
    kept.put(1000)
    kept.written(1)
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    (path,) = kept.files()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_costs_its_fragment_only(disk, monkeypatch):
    kept, read = disk(), storage.read_header
    kept.buffer.set_online(False)
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


def test_what_was_captured_for_another_stream_is_not_found_and_goes_when_too_old(tmp_path):
    one = open_files(tmp_path, "https://one eu-central-1 door", 600)
    buffer = FragmentBuffer()
    buffer.begin(1000, TRACK)
    buffer.add(EncodedFrame(1000, True, b"frame"))
    fragment = buffer.next_after(None)
    buffer.end(None)
    path = Path(one.write(fragment))
    os.utime(path, (0, 0))
    other = open_files(tmp_path, "https://other eu-central-1 door", 600)
    assert other.recover(print) == []
    assert path.exists(), "somebody is using it"
    one.close()
    another = open_files(tmp_path, "https://another eu-central-1 door", 600)
    assert not path.parent.parent.exists()
    other.close()
    another.close()


def test_what_is_too_old_in_the_own_folder_is_left_to_the_buffer_which_counts_it(tmp_path):
    address = "https://one eu-central-1 door"
    files = open_files(tmp_path, address, 600)
    path = Path(files.write(Fragment(1000, TRACK, frames=1, pieces=[mkv.cluster(1000)])))
    os.utime(path, (0, 0))
    files.close()
    files = open_files(tmp_path, address, 600)
    found = files.recover(print)
    files.close()
    buffer = FragmentBuffer(Limits(behind_s=600), recovered=found)
    buffer.drop_older_than(round(time.time() * 1000))
    assert buffer.counts.dropped_by == {"too far behind": 1}
