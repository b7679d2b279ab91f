"""The files of the buffer: one per fragment, numbered, at most 1,000 in a folder.

`0000012/0000012345.fragment` holds a header, the track's codec data, and the Matroska cluster
that PutMedia accepts. The header, with sizes in bytes, big-endian, times in ms since 1970:

    frames 4 | timecode 8 | last frame 8 | width 2 | height 2 | size of codec data 4 |
    size of cluster 4 | CRC-32 of codec data and cluster 4 | CRC-32 of all fields before 4
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import InUseError
from ..media.mkv import VideoTrack
from .fragment import Fragment

FILES_PER_FOLDER = 1000
HEADER = struct.Struct(">IqqHHIII")  # without its own checksum


class FragmentFiles:
    """The folder of one stream's fragments; one thread writes and deletes, all may read."""

    def __init__(self, folder: Path) -> None:
        # The video shows people: only the user who runs the edge may read it.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._next = 1
        self._unsynced: set[Path] = set()
        self._synced_at = time.monotonic()
        self._lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(self._lock)
            raise InUseError(
                f"This camera's video is already sent by another process: {folder} is in use. "
                "Stop that process first, or give another --buffer-folder."
            ) from exc

    def recover(self, log: Callable[[str], None]) -> list[Fragment]:
        """Return an earlier run's fragments, oldest first; delete files that cannot be sent.

        A cluster's checksum is verified only when it is sent.
        """
        if old := list(self.folder.glob("[0-9]*.ring")):
            log(f"{len(old)} files of version 0.1.0 are deleted: this version cannot send them.")
        for path in old:
            self.delete(str(path))
        found: list[Fragment] = []
        for path in sorted(self.folder.glob("[0-9]*/[0-9]*.fragment")):
            try:
                self._next = int(path.stem) + 1
                found.append(read_header(path))
            except (OSError, ValueError):
                self.delete(str(path))
        return found

    def write(self, fragment: Fragment) -> str:
        """Write a complete fragment and return its path; raise OSError and leave no file."""
        folder = self.folder / f"{self._next // FILES_PER_FOLDER:07d}"
        path = folder / f"{self._next:010d}.fragment"
        folder.mkdir(exist_ok=True, mode=0o700)
        try:
            path.touch(mode=0o600)
            path.write_bytes(_encode(fragment))
        except OSError:
            self.delete(str(path))
            raise
        self._next += 1
        self._unsynced |= {path, folder, self.folder}
        return str(path)

    def delete(self, path: str) -> None:
        """Delete a file, and its folder if that is empty then."""
        file = Path(path)
        self._unsynced.discard(file)
        with contextlib.suppress(OSError):  # the folder is not empty, or the disk read-only
            file.unlink(missing_ok=True)
            file.parent.rmdir()
            self._unsynced.discard(file.parent)

    def sync_next(self, interval_s: float) -> bool:
        """Sync one new file, or the folder of one; return whether one was due.

        The first is due `interval_s` after all were synced. Each call syncs one path, because a
        slow card takes a second for each; syncfs() would wait for what other programs wrote too.
        """
        if not self._unsynced or time.monotonic() < self._synced_at + interval_s:
            return False
        with contextlib.suppress(OSError):  # the next write fails too, and is logged
            file = os.open(self._unsynced.pop(), os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        if not self._unsynced:
            self._synced_at = time.monotonic()
        return True

    def close(self) -> None:
        """Release the folder, and delete it if it is empty."""
        while self.sync_next(0.0):
            pass
        if not any(self.folder.glob("[0-9]*")):
            with contextlib.suppress(OSError):  # it has other files, or is read-only
                (self.folder / "lock").unlink(missing_ok=True)
                self.folder.rmdir()
        os.close(self._lock)


def open_files(parent: Path, address: str, max_age_s: float) -> FragmentFiles:
    """Open the folder of one stream, so that its fragments are sent to no other.

    Folders of other streams that are too old to be sent are deleted, because they show people.
    """
    digest = hashlib.sha256(address.encode()).hexdigest()
    own = parent / f"{address.split()[-1]}-{digest[:8]}"
    # What is too old in the own folder is dropped by the buffer, which counts it.
    for folder in {lock.parent for lock in parent.glob("*-????????/lock")} - {own}:
        with contextlib.suppress(OSError, InUseError):
            newest = max((path.stat().st_mtime for path in folder.rglob("*.*")), default=0.0)
            if newest < time.time() - max_age_s:
                outdated = FragmentFiles(folder)
                shutil.rmtree(folder)
                outdated.close()
    return FragmentFiles(own)


def recover_copies(
    copies: FragmentFiles, on_disk: list[Fragment], log: Callable[[str], None]
) -> list[Fragment]:
    """Return the copied fragments that are not on disk, and delete the copies of all others.

    Their copies stay until the fragments are stored or written to disk.
    """
    found, timecodes = [], {fragment.timecode for fragment in on_disk}
    for fragment in copies.recover(log):
        with contextlib.suppress(OSError):
            if fragment.timecode not in timecodes:
                fragment.pieces = [read_cluster(fragment)]
                fragment.path, fragment.copy = "", fragment.path
                found.append(fragment)
                continue
        copies.delete(fragment.path)
    return found


def read_cluster(fragment: Fragment) -> bytes:
    """Read the cluster of a fragment on disk; raise OSError if it is damaged."""
    body = Path(fragment.path).read_bytes()[HEADER.size + 4 :]
    if zlib.crc32(body) != fragment.checksum:
        raise OSError(f"The checksum of {fragment.path} does not match.")
    return body[-fragment.size :]


def read_header(path: Path) -> Fragment:
    """Read a fragment without its cluster; raise OSError if it is incomplete."""
    with path.open("rb") as file:
        header, checksum = file.read(HEADER.size), file.read(4)
        if checksum != zlib.crc32(header).to_bytes(4):
            raise OSError(f"The header of {path} is incomplete.")
        frames, timecode, last_ms, width, height, codec_size, size, crc = HEADER.unpack(header)
        whole = len(header + checksum) + codec_size + size
        if not frames or os.fstat(file.fileno()).st_size != whole:
            raise OSError(f"{path} is incomplete.")
        track = VideoTrack(width, height, file.read(codec_size))
    fragment = Fragment(timecode, track, frames=frames, size=size, last_ms=last_ms, path=str(path))
    fragment.is_complete, fragment.checksum = True, crc
    return fragment


def _encode(fragment: Fragment) -> bytes:
    track, cluster = fragment.track, b"".join(fragment.pieces)
    body = track.codec_private + cluster
    fragment.checksum = zlib.crc32(body)
    times = fragment.frames, fragment.timecode, fragment.last_ms
    sizes = track.width, track.height, len(track.codec_private), len(cluster)
    header = HEADER.pack(*times, *sizes, fragment.checksum)
    return header + zlib.crc32(header).to_bytes(4) + body
