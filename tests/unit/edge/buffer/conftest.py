"""Fixtures of the buffer's tests."""

from pathlib import Path

import pytest

from tests.support.edge.buffer import Disk


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
