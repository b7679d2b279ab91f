"""What a kill leaves: copies of what was in memory, in a folder that is memory too."""

import os
import shutil
import struct
from contextlib import suppress

import pytest

from edge.buffer.storage import read_cluster, read_header
from edge.config import parse, runtime_folder
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from edge.run import open_buffer
from local.tests.support.plugin import wait_until_true

TRACK = mkv.Track(64, 48, b"\x01one")
ADDRESS = "https://one eu-central-1 door"


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
    buffer.end(is_tagged=False)


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
        buffer.set_flowing(False)
        wait_until_true(lambda: times_in(disk) == [1000])
        buffer.set_flowing(True)
        put(buffer, 2000)
        put(buffer, 3000)
        put(buffer, 4000)
        buffer.remove(buffer.in_memory()[0], "persisted")
        wait_until_true(lambda: times_in(run) == [3000, 4000])
        assert times_in(disk) == [1000], "while all is well the disk is left alone"

    killed(config, folders, tmp_path, work=work)
    said = []
    with open_buffer(config, ADDRESS, said.append) as buffer:
        found = [buffer.next_after(None)]
        while following := buffer.next_after(found[-1]):
            found.append(following)
        assert [one.timecode for one in found] == [1000, 3000, 4000]
        assert b"frame 4000" in read_cluster(found[-1])
        assert times_in(run) == []
    assert said[0] == "3 fragments that were kept on disk are sent first."
    with open_buffer(config, ADDRESS, print) as buffer:
        assert buffer.counts.waiting == 3, "they lie on disk now"


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
        buffer.set_flowing(False)
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
