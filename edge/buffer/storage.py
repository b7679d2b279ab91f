"""The files of the buffer: one per fragment, at most 1,000 in a folder, named in order.

`0000012/0000012345.fragment` is a header, the track's codec data, and the cluster as PutMedia
takes it. The header, big-endian, times in epoch milliseconds:

    CRC-32 of the header behind it and codec data 4 | frames 4 | timecode 8 | last frame 8 |
    width 2 | height 2 | bytes of codec data 4 | bytes of cluster 4 | CRC-32 of cluster 4
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import struct
import time
import zlib
from pathlib import Path

from ..errors import InUseError
from ..media.mkv import Track
from .fragment import Fragment

FILES_PER_FOLDER = 1000
CHECKSUM, FACTS = struct.Struct(">I"), struct.Struct(">IqqHHIII")


class FragmentFiles:
    """The folder of one stream's fragments; one thread writes and deletes, any may read."""

    def __init__(self, folder: Path) -> None:
        # The videos show people: only their owner may read them.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._next = 1
        self._unsynced: set[str] = set()
        self._lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._lock)
            raise InUseError(
                f"This camera is sent by another process already: {folder} is in use. "
                "Stop that one first, or give another --buffer-folder."
            ) from exc

    def recover(self, copies: "FragmentFiles | None" = None) -> list[Fragment]:
        """Return what an earlier run left, oldest first, and move here what only has a copy.

        Files not written whole are deleted. Only headers are read: a cluster is compared
        with its checksum when it is sent.
        """
        found: list[Fragment] = []
        for path in sorted(self._folder.glob("[0-9]*/[0-9]*.fragment")):
            self._next = int(path.stem) + 1
            try:
                found.append(read_header(path))
            except (OSError, struct.error):
                self.delete(str(path))
        timecodes = {fragment.timecode for fragment in found}
        for fragment in copies.recover() if copies else []:
            with contextlib.suppress(OSError):
                copy = fragment.path
                if fragment.timecode not in timecodes:
                    fragment.pieces = [read_cluster(fragment)]
                    fragment.path, fragment.pieces = self.write(fragment), []
                    found.append(fragment)
                self.delete(copy)
        return found

    def write(self, fragment: Fragment) -> str:
        """Write a fragment that has ended, return its file; OSError leaves no trace of it."""
        folder = self._folder / f"{self._next // FILES_PER_FOLDER:07d}"
        path = folder / f"{self._next:010d}.fragment"
        folder.mkdir(exist_ok=True, mode=0o700)
        try:
            path.touch(mode=0o600)
            path.write_bytes(_encoded(fragment))
        except OSError:
            self.delete(str(path))
            raise
        self._next += 1
        self._unsynced.add(str(path))
        return str(path)

    def delete(self, path: str) -> None:
        """Delete a file, and its folder if it was the last one there."""
        self._unsynced.discard(path)
        with contextlib.suppress(OSError):  # not empty, or read-only as a failed disk is
            Path(path).unlink(missing_ok=True)
            Path(path).parent.rmdir()

    def sync(self) -> None:
        """Make what was written survive a power cut, and the names of its files too."""
        written = {Path(path) for path in self._unsynced}
        for path in written.union(*((path.parent, self._folder) for path in written)):
            with contextlib.suppress(OSError):  # the next write will fail too, and is reported
                file = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
        self._unsynced.clear()

    def close(self) -> None:
        """Release the folder, and delete it if it is empty."""
        self.sync()
        if not any(self._folder.glob("[0-9]*")):
            with contextlib.suppress(OSError):  # a foreign file is in it, or it is read-only
                (self._folder / "lock").unlink(missing_ok=True)
                self._folder.rmdir()
        os.close(self._lock)


def open_files(parent: Path, address: str, older_than_s: float) -> FragmentFiles:
    """Open the folder of one address, a stream of a service: no other gets its fragments.

    Delete the folders of others that are too old to be sent, because they show people.
    """
    for lock in parent.glob("*-????????/lock"):
        with contextlib.suppress(OSError, InUseError):
            newest = max((path.stat().st_mtime for path in lock.parent.rglob("*.*")), default=0.0)
            if newest < time.time() - older_than_s:
                outdated = FragmentFiles(lock.parent)
                shutil.rmtree(lock.parent)
                outdated.close()
    digest = hashlib.sha256(address.encode()).hexdigest()
    return FragmentFiles(parent / f"{address.split()[-1]}-{digest[:8]}")


def read_cluster(fragment: Fragment) -> bytes:
    """Return the bytes of a fragment on disk as they are sent; raise OSError if damaged."""
    cluster = Path(fragment.path).read_bytes()[-fragment.size :]
    if zlib.crc32(cluster) != fragment.checksum:
        raise OSError(f"The checksum of {fragment.path} does not match.")
    return cluster


def read_header(path: Path) -> Fragment:
    """Return a fragment on disk without its cluster; raise OSError or struct.error if torn."""
    with path.open("rb") as file:
        own, facts = file.read(CHECKSUM.size), file.read(FACTS.size)
        frames, timecode, last_ms, width, height, codec_bytes, size, checksum = FACTS.unpack(facts)
        codec = file.read(codec_bytes)
        is_whole = file.tell() + size == os.fstat(file.fileno()).st_size
    if not is_whole or own != CHECKSUM.pack(zlib.crc32(facts + codec)):
        raise OSError(f"{path} was not written whole.")
    fragment = Fragment(timecode, Track(width, height, codec), is_complete=True)
    fragment.frames, fragment.last_ms, fragment.size = frames, last_ms, size
    fragment.path, fragment.checksum = str(path), checksum
    return fragment


def _encoded(fragment: Fragment) -> bytes:
    cluster, track = b"".join(fragment.pieces), fragment.track
    fragment.checksum = zlib.crc32(cluster)
    times = fragment.frames, fragment.timecode, fragment.last_ms
    sizes = track.width, track.height, len(track.codec_private), len(cluster)
    facts = FACTS.pack(*times, *sizes, fragment.checksum) + track.codec_private
    return CHECKSUM.pack(zlib.crc32(facts)) + facts + cluster
