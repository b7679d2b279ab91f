"""The format of the ring's files: records with checksums, one after the other.

A segment is a file of records. A track's record comes before the first fragment
recorded with it, so that each segment can be read alone. A record:

    magic 4 | kind 1 | state 1 | frames 2 | timecode 8 | last frame 8 | size 4 |
    checksum of the payload 4 | checksum of all that, without the state 4 | payload

All numbers are big-endian, times epoch milliseconds. A fragment's payload is its
cluster as PutMedia takes it. The state is the only byte that ever changes.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from .fragment import Fragment, Place
from .media import mkv

MAGIC = b"wef1"
HEAD = struct.Struct(">4sBBHqqIII")
STATE_AT = 5
TRACK_SIZE = struct.Struct(">HH")
# PutMedia takes at most 50 MB for a fragment; what says more is no record.
LONGEST = 64 * 1024 * 1024


class Kind(IntEnum):
    """What a record holds."""

    TRACK = 1
    FRAGMENT = 2


class State(IntEnum):
    """Whether a fragment still has to be sent."""

    WAITING = 0
    GONE = 1


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a record."""

    kind: int
    state: int
    frames: int
    timecode: int
    last_ms: int
    size: int
    checksum: int


def track_record(track: mkv.Track) -> bytes:
    """Write down a track."""
    payload = TRACK_SIZE.pack(track.width, track.height) + track.codec_private
    return _head(Kind.TRACK, 0, 0, 0, payload) + payload


def fragment_record(fragment: Fragment) -> tuple[bytes, int]:
    """Write down a whole fragment; give the record and the checksum of its payload."""
    payload = b"".join(fragment.pieces)
    frames = min(fragment.frames, 0xFFFF)
    head = _head(Kind.FRAGMENT, frames, fragment.timecode, fragment.last_ms, payload)
    return head + payload, zlib.crc32(payload)


def read(path: Path, segment: int) -> Iterator[Fragment]:
    """Give the fragments of a segment that still have to be sent.

    It ends at the first record that was not written whole. Payloads are not read: their
    checksums are compared when they are sent.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        track = None
        while head := _read_head(file.read(HEAD.size)):
            offset = file.tell()
            if offset + head.size > end:
                return
            if head.kind == Kind.TRACK:
                track = _track(file.read(head.size), head.checksum)
            if track is None:
                return
            if head.kind == Kind.FRAGMENT and head.state == State.WAITING:
                yield _fragment(head, track, Place(segment, offset, head.size, head.checksum))
            file.seek(offset + head.size)


def _head(kind: Kind, frames: int, timecode: int, last_ms: int, payload: bytes) -> bytes:
    facts = (MAGIC, kind, State.WAITING, frames, timecode, last_ms)
    sums = (len(payload), zlib.crc32(payload))
    return HEAD.pack(*facts, *sums, zlib.crc32(HEAD.pack(*facts, *sums, 0)))


def _read_head(data: bytes) -> Head | None:
    if len(data) < HEAD.size:
        return None
    magic, kind, state, frames, timecode, last_ms, size, checksum, own = HEAD.unpack(data)
    facts = (MAGIC, kind, State.WAITING, frames, timecode, last_ms, size, checksum)
    if magic != MAGIC or size > LONGEST or own != zlib.crc32(HEAD.pack(*facts, 0)):
        return None
    return Head(kind, state, frames, timecode, last_ms, size, checksum)


def _track(payload: bytes, checksum: int) -> mkv.Track | None:
    if zlib.crc32(payload) != checksum:
        return None
    width, height = TRACK_SIZE.unpack_from(payload)
    return mkv.Track(width, height, payload[TRACK_SIZE.size :])


def _fragment(head: Head, track: mkv.Track, place: Place) -> Fragment:
    return Fragment(
        head.timecode,
        track,
        frames=head.frames,
        size=head.size,
        last_ms=head.last_ms,
        is_complete=True,
        place=place,
    )
