"""One Matroska cluster while it arrives, checked against AWS's rules for a fragment."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.mkv.header import ErrorId, Limits, MediaError, Track

type Tags = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Times:
    first: int
    last: int
    frames: int = 1


@dataclass(slots=True)
class Cluster:
    """A cluster of known or unknown size whose elements are added one by one."""

    tracks: tuple[Track, ...]
    scale_ns: int
    previous: dict[int, int]  # the last frame's time of each track, across clusters
    remaining: int | None  # bytes to come, None when the cluster's size is unknown
    limits: Limits
    tags: Tags = ()
    timecode: int | None = None
    data: bytearray = field(default_factory=bytearray)
    _times: dict[int, _Times] = field(default_factory=dict)

    @property
    def start_ms(self) -> int:
        """Return the cluster's time in milliseconds."""
        return self._milliseconds(self.timecode or 0)

    @property
    def room(self) -> int:
        """Return how many bytes the next element may have."""
        return self.limits.fragment_bytes - len(self.data)

    def check(self, head: ebml.Head) -> None:
        """Raise MediaError by an element's head, before its content is read."""
        if head.id not in ebml.IN_CLUSTER or head.size is None:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        if self.remaining is not None and head.total > self.remaining:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        if head.total > self.room:
            raise MediaError(ErrorId.MAX_FRAGMENT_SIZE_REACHED)

    def add(self, head: ebml.Head, raw: memoryview) -> None:
        """Add one complete element."""
        content = raw[head.length :]
        if head.id == ebml.TIMESTAMP:
            self._set_timecode(ebml.unsigned(content))
        elif head.id == ebml.SIMPLE_BLOCK:
            self._add_frame(content)
        elif head.id == ebml.BLOCK_GROUP:
            for child, block in ebml.children(content):
                if child == ebml.BLOCK:
                    self._add_frame(block)
        self.data += raw
        if self.remaining is not None:
            self.remaining -= len(raw)

    def _set_timecode(self, timecode: int) -> None:
        if self.timecode is not None:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        self.timecode = timecode

    def _add_frame(self, block: memoryview) -> None:
        if self.timecode is None:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        number, relative, _ = ebml.read_block(block)
        if number not in {track.number for track in self.tracks}:
            raise MediaError(ErrorId.TRACK_NUMBER_MISMATCH)
        now = self._milliseconds(self.timecode + relative)
        times = self._times.get(number)
        if times is None:
            if now <= self.previous.get(number, now - 1):
                raise MediaError(ErrorId.FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS)
            self._times[number] = _Times(now, now)
        else:
            times.first, times.last = min(times.first, now), max(times.last, now)
            times.frames += 1
            if times.last - times.first > self.limits.fragment_ms:
                raise MediaError(ErrorId.MAX_FRAGMENT_DURATION_REACHED)

    def finish(self, tags: Iterable[tuple[str, str]]) -> int:
        """End the fragment with the tags that follow it; return its length in milliseconds."""
        if self.remaining:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        self.tags = unique([*self.tags, *tags])
        check_tags(self.tags, self.limits)
        if any(track.number not in self._times for track in self.tracks):
            raise MediaError(ErrorId.FRAMES_MISSING_FOR_TRACK)
        for number, times in self._times.items():
            self.previous[number] = times.last
        return max(self._length(track) for track in self.tracks)

    def _length(self, track: Track) -> int:
        times = self._times[track.number]
        span, gaps = times.last - times.first, times.frames - 1
        last = span / gaps if gaps else min(track.frame_ms, self.limits.fragment_ms)
        return round(span + last)

    def _milliseconds(self, ticks: int) -> int:
        return ticks * self.scale_ns // 1_000_000


def unique(tags: Iterable[tuple[str, str]]) -> Tags:
    """Return the tags with each name once; a later value replaces an earlier one."""
    return tuple(dict(tags).items())


def check_tags(tags: Tags, limits: Limits) -> None:
    """Raise MediaError if a fragment has too many or too long tags."""
    too_long = any(
        len(name.encode()) > limits.tag_name_bytes or len(value.encode()) > limits.tag_value_bytes
        for name, value in tags
    )
    if too_long or len(tags) > limits.tags:
        raise MediaError(ErrorId.FRAGMENT_METADATA_LIMIT_REACHED)
