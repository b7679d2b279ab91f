"""When fragments are written, synced and deleted, and what a disk that fails or a kill leaves."""

import errno
import os
import shutil
import struct
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge.buffer.buffer import FragmentBuffer
from edge.buffer.disk_writer import DiskWriter
from edge.buffer.fragment import Limits
from edge.buffer.storage import FragmentFiles, read_cluster, read_header
from edge.config import parse, runtime_folder
from edge.media.mkv import EncodedFrame
from edge.run import open_buffer
from local.tests.support.plugin import wait_until_true
from tests.support.edge.buffer import LIMIT_S, TRACK, wait_for

ADDRESS = "https://one eu-central-1 door"


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
    kept.buffer.set_online(False)
    kept.written(1)
    kept.put(2000)
    kept.written(2)


def test_what_was_acknowledged_is_not_found_again(disk):
    first = disk()
    first.buffer.set_online(False)
    first.put(1000, 2000, 3000)
    first.written(3)
    first.take()
    first.acknowledge(1000)
    wait_for(lambda: len(first.files()) == 2)
    first.die()
    assert [f.timecode for f in disk().found] == [2000, 3000]


def test_a_file_goes_with_its_fragment_and_the_folder_with_its_last_file(disk):
    kept = disk()
    kept.buffer.set_online(False)
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


def test_what_was_written_is_synced_with_its_name_so_that_a_power_cut_leaves_it(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.SYNC_S", 0.05)
    sync, synced = os.fsync, set()

    def note(file):
        synced.add(Path(f"/proc/self/fd/{file}").readlink())
        sync(file)

    monkeypatch.setattr(os, "fsync", note)
    kept = disk()
    kept.buffer.set_online(False)
    kept.put(1000, 2000)
    kept.written(2)
    files = kept.files()
    wait_for(lambda: synced >= {kept.folder, files[0].parent, *files})


def test_what_is_captured_while_a_slow_card_syncs_is_written_before_the_next_sync(
    disk, monkeypatch
):
    monkeypatch.setattr("edge.buffer.disk_writer.SYNC_S", 0.05)
    found, may_go_on = [], threading.Event()

    def sync(_file):
        found.append(len(kept.files()))
        assert may_go_on.wait(LIMIT_S)

    kept = disk(Limits(memory_s=0))
    monkeypatch.setattr(os, "fsync", sync)
    kept.put(1000)
    wait_for(lambda: found)
    kept.put(2000)
    may_go_on.set()
    wait_for(lambda: len(found) >= 3)
    assert found[:3] == [1, 2, 2], "one file, its folder and the folder above"


def test_nothing_is_logged_while_the_buffer_is_locked(tmp_path):
    files, locked = FragmentFiles(tmp_path / "buffer"), []
    buffer = FragmentBuffer(Limits(buffer_bytes=100))

    def log(_text):
        free = threading.Thread(target=buffer.notify)
        free.start()
        free.join(LIMIT_S)
        locked.append(free.is_alive())

    writer = DiskWriter(buffer, files, log)
    writer.start()
    for timecode in range(1000, 4000, 1000):
        put(buffer, timecode)
    wait_for(lambda: locked)
    writer.stop()
    assert locked == [False]


def test_a_disk_that_takes_nothing_leaves_no_torn_record(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    monkeypatch.setattr("edge.buffer.disk_writer.SYNC_S", 0.05)
    kept, write, is_full = disk(), Path.write_bytes, []
    kept.buffer.set_online(False)
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
    wait_for(lambda: len(kept.files()) == 1)  # each try makes a file and deletes it
    is_full.clear()
    kept.written(3)
    assert len(kept.said) == 1, "not yet: a disk may fail again soon"
    monkeypatch.setattr("edge.buffer.disk_writer.WRITABLE_AFTER_S", 0.0)
    wait_for(lambda: len(kept.said) == 2)
    kept.put(4000)
    kept.written(4)
    kept.die()
    assert sorted(f.timecode for f in disk().found) == [1000, 2000, 3000, 4000]
    assert "not writable" in kept.said[0]
    assert kept.said[1:] == ["The disk is writable again."]


def test_on_a_disk_that_others_fill_the_oldest_makes_room_for_the_newest(disk, monkeypatch):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    kept, write = disk(Limits(memory_bytes=600)), Path.write_bytes
    kept.buffer.set_online(False)
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
    kept.writer.stop()
    assert sorted(text.split(":")[0] for text in kept.said) == [
        "The disk is not writable and memory is full",
        "The disk is not writable, video stays in memory",
    ]
    assert str(kept.writer._files.folder) in kept.buffer.last_error


def test_what_was_acknowledged_makes_room_before_the_disk_counts_as_full(disk, monkeypatch):
    kept, write = disk(), Path.write_bytes
    kept.buffer.set_online(False)
    kept.put(1000)
    kept.written(1)

    def write_one(path, data):
        if any(one != path for one in kept.files()):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_one)
    with kept.buffer.lock:
        kept.buffer.remove(kept.waiting()[0], "persisted")
        kept.put(2000)
    kept.written(1)
    assert kept.said == []


def test_a_disk_that_takes_nothing_is_tried_again_only_after_a_while(disk, monkeypatch):
    tried = []

    def refuse(path, _data):
        tried.append(path)
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    kept = disk(Limits(memory_s=0))
    kept.put(1000)
    wait_for(lambda: tried)
    for timecode in range(2000, 12_000, 1000):
        kept.put(timecode)
        time.sleep(0.02)  # the writer looks at each change
    assert len(tried) == 1


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
    kept.buffer.set_online(False)
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
    kept.buffer.set_online(False)
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


def test_a_folder_that_may_not_be_written_is_said_and_memory_used(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (tmp_path / "file").write_text("in the way")
    config = parse(["--camera", "gate", "--buffer-folder", str(tmp_path / "file" / "below")])
    said = []
    with open_buffer(config, "url region stream", said.append) as buffer:
        buffer.begin(1000, TRACK)
        buffer.add(EncodedFrame(1000, True, b"frame"))
        buffer.close()
        assert buffer.next_after(None).timecode == 1000
    assert "--buffer-folder" in said[0]
    assert said[-1] == "1 fragments are lost: they could not be written to disk."


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Where a service keeps what is not stored: on disk and in memory."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    return tmp_path / "disk", tmp_path / "run"


@pytest.fixture
def config(folders):
    return parse(
        ["--camera", "gate", "--max-behind", "999999h", "--buffer-folder", str(folders[0])]
    )


def put(buffer, timecode):
    buffer.begin(timecode, TRACK)
    buffer.add(EncodedFrame(timecode, True, b"frame %d" % timecode))
    buffer.end(None)


def times_in(folder):
    times = []
    for path in sorted(folder.glob("*/*/*.fragment")):
        with suppress(OSError, struct.error):  # it is being written or deleted
            times.append(read_header(path).timecode)
    return times


def killed(config, folders, tmp_path, *, work):
    """What is in the folders when a run is killed, as the next one finds it."""
    kept = [tmp_path / f"killed-{folder.name}" for folder in folders]
    with open_buffer(config, ADDRESS, print) as buffer:
        work(buffer)
        for folder, copy in zip(folders, kept, strict=True):
            shutil.copytree(folder, copy)
        for fragment in buffer.in_memory():
            buffer.remove(fragment, "persisted")
    for folder, copy in zip(folders, kept, strict=True):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(copy, folder)


def test_what_was_in_memory_when_it_was_killed_is_found_once_and_in_order(
    config, folders, tmp_path
):
    disk, run = folders

    def work(buffer):
        put(buffer, 1000)
        buffer.set_online(False)
        wait_until_true(lambda: times_in(disk) == [1000])
        buffer.set_online(True)
        put(buffer, 2000)
        put(buffer, 3000)
        put(buffer, 4000)
        # That of 1000 may be on disk and still in memory.
        (second,) = [one for one in buffer.in_memory() if one.timecode == 2000]
        buffer.remove(second, "persisted")
        wait_until_true(lambda: times_in(run) == [3000, 4000])
        assert times_in(disk) == [1000], "while all is well the disk is left alone"

    killed(config, folders, tmp_path, work=work)
    said = []
    with open_buffer(config, ADDRESS, said.append) as buffer:
        wait_until_true(lambda: times_in(run) == [])
        found = [buffer.next_after(None)]
        while following := buffer.next_after(found[-1]):
            found.append(following)
        assert [one.timecode for one in found] == [1000, 3000, 4000]
        assert b"frame 4000" in read_cluster(found[-1])
    assert said[0] == "3 fragments that were kept on disk are sent first."
    with open_buffer(config, ADDRESS, print) as buffer:
        assert buffer.counts.waiting == 3, "they lie on disk now"


@pytest.mark.parametrize("has_folder", [True, False])
def test_copies_stay_until_a_disk_that_takes_nothing_takes_them(
    config, folders, tmp_path, monkeypatch, has_folder
):
    monkeypatch.setattr("edge.buffer.disk_writer.RETRY_S", 0.02)
    disk, run = folders

    def work(buffer):
        put(buffer, 1000)
        put(buffer, 2000)
        wait_until_true(lambda: times_in(run) == [1000, 2000])

    def refuse(path, data):
        if disk in path.parents:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    killed(config, folders, tmp_path, work=work)
    write = Path.write_bytes
    if has_folder:
        monkeypatch.setattr(Path, "write_bytes", refuse)
    else:
        shutil.rmtree(disk)
        disk.write_text("in the way")
    for has_failed in (False, True):
        said = []
        with open_buffer(config, ADDRESS, said.append) as buffer:
            found = buffer.in_memory()
            assert [one.timecode for one in found] == [1000, 2000]
            assert b"frame 2000" in b"".join(buffer.next_after(found[0]).pieces)
            if has_failed:
                buffer.remove(found[0], "persisted")
                wait_until_true(lambda: times_in(run) == [2000])
    assert said[-1] == "1 fragments could not be written to disk; a copy is kept until a reboot."
    monkeypatch.setattr(Path, "write_bytes", write)
    if not has_folder:
        disk.unlink()
    with open_buffer(config, ADDRESS, print):
        wait_until_true(lambda: times_in(disk) == [2000] and times_in(run) == [])


def test_copies_that_are_too_old_or_damaged_are_deleted(config, folders, tmp_path):
    def work(buffer):
        put(buffer, 1000)
        put(buffer, 2000)
        wait_until_true(lambda: times_in(folders[1]) == [1000, 2000])

    killed(config, folders, tmp_path, work=work)
    path = sorted(folders[1].glob("*/*/*.fragment"))[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with open_buffer(replace(config, max_behind_s=60), ADDRESS, print) as buffer:
        assert buffer.counts.dropped_by == {"too far behind": 1}
        wait_until_true(lambda: times_in(folders[1]) == [])


def test_a_clean_end_leaves_no_copies(config, folders):
    with open_buffer(config, ADDRESS, print) as buffer:
        put(buffer, 1000)
        wait_until_true(lambda: times_in(folders[1]) == [1000])
    assert times_in(folders[0]) == [1000]
    assert list(folders[1].iterdir()) == []


def test_a_folder_in_memory_that_takes_nothing_costs_no_fragment(config, folders):
    with open_buffer(config, ADDRESS, print) as buffer:
        shutil.rmtree(folders[1])
        put(buffer, 1000)
        buffer.set_online(False)
        wait_until_true(lambda: times_in(folders[0]) == [1000])


def test_without_a_folder_in_memory_each_fragment_is_written_at_once(
    config, folders, monkeypatch, tmp_path
):
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert runtime_folder(config.camera, os.environ) is None
    with open_buffer(config, ADDRESS, print) as buffer:
        put(buffer, 1000)
        wait_until_true(lambda: times_in(folders[0]) == [1000])
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "user"))
    with open_buffer(config, ADDRESS, print):
        assert (tmp_path / "user" / "whosthere-edge" / "gate").is_dir()
