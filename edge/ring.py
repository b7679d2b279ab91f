"""The fragments that lie on disk: appended to segments, which go when all in them is sent."""

import contextlib
import fcntl
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from . import segment
from .errors import InUseError
from .fragment import Fragment, Place
from .media.mkv import Track

SEGMENT_BYTES = 4 * 1024 * 1024
SUFFIX = ".ring"


class DamagedError(Exception):
    """What lies on disk is not what was written."""


@dataclass(slots=True)
class Segment:
    """One file, the bytes written to it, and how many of its fragments still wait."""

    number: int
    path: Path
    size: int = 0
    waiting: int = 0


class Ring:
    """A folder of segments; one thread writes, others may read.

    Nothing is ever rewritten but the one byte that says a fragment is gone. A file is
    deleted when the last fragment in it has gone, at once.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        # What lies here shows people: it is its owner's alone.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(folder)
        self._segments: dict[int, Segment] = {}
        self._file: int | None = None
        self._open: Segment | None = None
        self._track: Track | None = None
        self._is_unsynced = False
        self._next = 1

    def find(self) -> list[Fragment]:
        """List what an earlier run has left, oldest first; files with nothing go."""
        found: list[Fragment] = []
        for path in sorted(self._folder.glob(f"[0-9]*{SUFFIX}")):
            number = int(path.stem)
            fragments: list[Fragment] = []
            with contextlib.suppress(OSError):  # up to where a failing card can be read
                fragments.extend(segment.read(path, number))
            found += fragments
            self._next = number + 1
            self._segments[number] = Segment(number, path, waiting=len(fragments))
            if not fragments:
                self._delete(self._segments[number])
        return found

    def append(self, fragment: Fragment) -> Place:
        """Write a whole fragment behind the others; OSError leaves no trace of it."""
        try:
            return self._append(fragment)
        except OSError:
            # A file may have reached a limit of its own.
            if self._open is None or self._open.size == 0:
                raise
            self._close_segment()
            return self._append(fragment)

    def read(self, place: Place) -> bytes:
        """Give a fragment's bytes, or raise DamagedError."""
        try:
            with self._path(place.segment).open("rb") as file:
                file.seek(place.offset)
                data = file.read(place.size)
        except OSError as exc:
            raise DamagedError(str(exc)) from exc
        if len(data) != place.size or zlib.crc32(data) != place.checksum:
            raise DamagedError(f"a checksum in {self._path(place.segment).name} does not fit")
        return data

    def forget(self, place: Place) -> None:
        """Note that a fragment need not be sent any more."""
        holder = self._segments[place.segment]
        holder.waiting -= 1
        if holder.waiting == 0:
            self._delete(holder)
            return
        with contextlib.suppress(OSError), holder.path.open("r+b", buffering=0) as file:
            # A disk that takes nothing: then it is sent once more.
            file.seek(place.offset - segment.HEAD.size + segment.STATE_AT)
            file.write(bytes([segment.State.GONE]))

    def sync(self) -> None:
        """Have what was written survive a power cut."""
        if self._is_unsynced and self._file is not None:
            os.fdatasync(self._file)
        self._is_unsynced = False

    def close(self) -> None:
        """Let go of the folder, and delete it if it is empty."""
        self._close_segment()
        if not self._segments:
            # Something of somebody else's is in it, or the disk is read-only.
            with contextlib.suppress(OSError):
                (self._folder / "lock").unlink(missing_ok=True)
                self._folder.rmdir()
        os.close(self._lock)

    def _append(self, fragment: Fragment) -> Place:
        holder = self._segment_for(fragment)
        assert self._file is not None
        record, checksum = segment.fragment_record(fragment)
        preface = b"" if fragment.track == self._track else segment.track_record(fragment.track)
        try:
            _write(self._file, preface + record)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, holder.size)
                os.lseek(self._file, holder.size, os.SEEK_SET)
            if holder.size == 0:
                self._close_segment()
            raise
        self._track, self._is_unsynced = fragment.track, True
        offset = holder.size + len(preface) + segment.HEAD.size
        holder.size += len(preface) + len(record)
        holder.waiting += 1
        return Place(holder.number, offset, len(record) - segment.HEAD.size, checksum)

    def _segment_for(self, fragment: Fragment) -> Segment:
        if self._open is not None and self._open.size + fragment.size > self._segment_bytes:
            self._close_segment()
        if self._open is None:
            path = self._path(self._next)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._open = self._segments[self._next] = Segment(self._next, path)
            self._next += 1
        return self._open

    def _close_segment(self) -> None:
        closed, self._open, self._track = self._open, None, None
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.sync()
            os.close(self._file)
            self._file = None
        if closed is not None and closed.waiting == 0:
            self._delete(closed)

    def _delete(self, unneeded: Segment) -> None:
        if unneeded is self._open:
            # Unsynced and gone: on most file systems it never reaches the card.
            self._is_unsynced = False
            self._close_segment()
            return
        self._segments.pop(unneeded.number, None)
        with contextlib.suppress(OSError):  # a disk that failed is read-only: it stays there
            unneeded.path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:010d}{SUFFIX}"


def _lock(folder: Path) -> int:
    file = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(file)
        raise InUseError(
            f"This camera is sent by another process already: {folder} is in use. "
            "Stop that one first, or give another --buffer-folder."
        ) from exc
    return file


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
