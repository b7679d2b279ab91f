"""A buffer with its disk writer and its folder, as a run has them."""

import os
import time

from edge.buffer.buffer import FragmentBuffer
from edge.buffer.disk_writer import DiskWriter
from edge.buffer.storage import FragmentFiles
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from edge.upload.delivery import Delivery

TRACK, OTHER = mkv.VideoTrack(64, 48, b"\x01one"), mkv.VideoTrack(96, 64, b"\x01two")
LIMIT_S = 60


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
        self.found = self.storage.recover(self.said.append)
        self.buffer = FragmentBuffer(limits, recovered=self.found)
        self.writer = DiskWriter(self.buffer, self.storage, self.said.append, copies)
        self.writer.start()

    def put(self, *timecodes, track=TRACK, size=100, is_tagged=False):
        for timecode in timecodes:
            self.buffer.begin(timecode, track)
            for number in range(2):
                at_ms, data = timecode + 500 * number, bytes([number]) * size
                self.buffer.add(EncodedFrame(at_ms, number == 0, data))
            self.buffer.end({} if is_tagged else None)

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
        return self.delivery.resolve(timecode, "persisted")

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
