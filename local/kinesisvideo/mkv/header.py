"""The Matroska header before the first cluster, and AWS's limits on header and fragments."""

from dataclasses import dataclass
from enum import IntEnum

from local.kinesisvideo.mkv import ebml


class ErrorId(IntEnum):
    """The ids of ERROR acknowledgements; their names are AWS's codes (PutMedia)."""

    STREAM_READ_ERROR = 4000
    MAX_FRAGMENT_SIZE_REACHED = 4001
    MAX_FRAGMENT_DURATION_REACHED = 4002
    MAX_CONNECTION_DURATION_REACHED = 4003
    FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS = 4004
    INVALID_MKV_DATA = 4006
    INVALID_PRODUCER_TIMESTAMP = 4007
    STREAM_NOT_ACTIVE = 4008
    FRAGMENT_METADATA_LIMIT_REACHED = 4009
    TRACK_NUMBER_MISMATCH = 4010
    FRAMES_MISSING_FOR_TRACK = 4011
    MORE_THAN_ALLOWED_TRACKS_FOUND = 4012
    INTERNAL_ERROR = 5000
    ARCHIVAL_ERROR = 5001


class MediaError(Exception):
    """The media breaks a rule of PutMedia, or cannot be stored."""

    def __init__(self, error_id: ErrorId, timecode: int | None = None) -> None:
        """Make the error, with a timecode if its fragment is no longer in progress."""
        super().__init__(error_id.name)
        self.error_id = error_id
        self.timecode = timecode  # of a fragment that is no longer in progress


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a fragment and its header (Kinesis Video Streams quotas)."""

    fragment_bytes: int = 50 * 1024 * 1024
    fragment_ms: int = 20_000
    header_bytes: int = 1024 * 1024
    tags_bytes: int = 64 * 1024  # one Tags element, many times what ten tags need
    tracks: int = 3
    tags: int = 10
    tag_name_bytes: int = 128
    tag_value_bytes: int = 256


@dataclass(frozen=True, slots=True)
class Track:
    """A track that the header declares."""

    number: int
    video: bool
    codec: str
    frame_ms: float  # 0 when the header does not say


_DOCUMENT = {ebml.EBML, ebml.SEGMENT}
# What may stand outside a cluster, and what must have come before it.
_ORDER: dict[int, set[int]] = {
    ebml.EBML: set(),
    ebml.SEGMENT: {ebml.EBML},
    ebml.SEEK_HEAD: _DOCUMENT,
    ebml.INFO: _DOCUMENT,
    ebml.TRACKS: _DOCUMENT,
    ebml.TAGS: _DOCUMENT,
    ebml.CUES: _DOCUMENT,
    ebml.VOID: _DOCUMENT,
    ebml.CRC_32: _DOCUMENT,
}
_ONCE = {ebml.EBML, ebml.SEGMENT, ebml.INFO, ebml.TRACKS}


class Header:
    """The header before the first cluster, which is stored with each fragment."""

    def __init__(self, limits: Limits) -> None:
        """Start with an empty header."""
        self.data = bytearray()
        self.scale_ns = 1_000_000
        self.tracks: tuple[Track, ...] = ()
        self.complete = False  # once there was a cluster
        self._limits = limits
        self._seen: set[int] = set()

    def check(self, head: ebml.Head) -> None:
        """Raise MediaError by an element's head if it is out of order, repeated or too large."""
        needed = _ORDER.get(head.id)
        if needed is None or not needed <= self._seen:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        if head.id in _ONCE and head.id in self._seen:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        if head.id == ebml.SEGMENT:
            return
        if head.id == ebml.TAGS and head.total > self._limits.tags_bytes:
            raise MediaError(ErrorId.FRAGMENT_METADATA_LIMIT_REACHED)
        if head.size is None or head.total > self._limits.header_bytes:
            raise MediaError(ErrorId.INVALID_MKV_DATA)

    def take(self, head: ebml.Head, raw: bytes) -> None:
        """Add one complete element; of the segment, only its head."""
        self._seen.add(head.id)
        content = memoryview(raw)[head.length :]
        if head.id == ebml.SEGMENT:
            raw = ebml.SEGMENT_HEAD
        elif head.id == ebml.EBML:
            _check_document(content)
        elif head.id == ebml.INFO:
            self.scale_ns = _read_scale(content)
        elif head.id == ebml.TRACKS:
            self.tracks = _read_tracks(content, self._limits)
        if head.id != ebml.CUES:  # where they point to is not where it will be
            self.extend(raw)

    def extend(self, raw: bytes) -> None:
        """Add bytes unchanged, unless a cluster has started already."""
        if self.complete:
            return
        self.data += raw
        if len(self.data) > self._limits.header_bytes:
            raise MediaError(ErrorId.INVALID_MKV_DATA)


def _check_document(content: memoryview) -> None:
    """Raise MediaError if an EBML document is not Matroska."""
    kinds = [ebml.text(d) for i, d in ebml.children(content) if i == ebml.DOC_TYPE]
    if kinds not in (["matroska"], ["webm"]):
        raise MediaError(ErrorId.INVALID_MKV_DATA)


def _read_scale(content: memoryview) -> int:
    """Return the nanoseconds in one tick of the segment's timecodes."""
    scale_ns = 1_000_000
    for element_id, data in ebml.children(content):
        if element_id == ebml.TIMESTAMP_SCALE:
            scale_ns = ebml.unsigned(data)
    if not scale_ns:
        raise MediaError(ErrorId.INVALID_MKV_DATA)
    return scale_ns


def _read_tracks(content: memoryview, limits: Limits) -> tuple[Track, ...]:
    """Return the tracks that the header declares."""
    entries = [entry for kind, entry in ebml.children(content) if kind == ebml.TRACK_ENTRY]
    if len(entries) > limits.tracks:
        raise MediaError(ErrorId.MORE_THAN_ALLOWED_TRACKS_FOUND)
    tracks = tuple(_read_track(entry) for entry in entries)
    numbers = {track.number for track in tracks}
    if not tracks or 0 in numbers or len(numbers) < len(tracks):
        raise MediaError(ErrorId.INVALID_MKV_DATA)
    return tracks


def _read_track(entry: memoryview) -> Track:
    number, video, codec, frame_ms = 0, False, "", 0.0
    for element_id, data in ebml.children(entry):
        if element_id == ebml.TRACK_NUMBER:
            number = ebml.unsigned(data)
        elif element_id == ebml.TRACK_TYPE:
            video = ebml.unsigned(data) == 1
        elif element_id == ebml.CODEC_ID:
            codec = ebml.text(data)
        elif element_id == ebml.DEFAULT_DURATION:
            frame_ms = ebml.unsigned(data) / 1_000_000
    return Track(number, video, codec, frame_ms)
