"""Cuts encoded video into fragments, each from one key frame to the next."""

from collections.abc import Callable, Mapping
from typing import Protocol

from ..media.mkv import EncodedFrame, VideoTrack


class FragmentSink(Protocol):
    """Stores fragments; it never waits for the network."""

    def begin(self, at_ms: int, track: VideoTrack) -> None:
        """Start a fragment at that time, in milliseconds since 1970."""

    def add(self, frame: EncodedFrame) -> None:
        """Append a frame to the current fragment."""

    def end(self, tags: Mapping[str, str] | None, *, is_wanted: bool = True) -> None:
        """Complete the current fragment, with its tags; discard it unless it is wanted."""


class Segmenter:
    """Groups frames into fragments of at least `length_ms`.

    At the end of each fragment it calls `tags_of` with the times of the first and the last
    frame; the fragment is tagged for image generation unless the result is None. Timestamps
    only grow: a frame that is not later than the one before is dated a millisecond after it, unless
    its stream has B-frames.
    """

    def __init__(
        self,
        buffer: FragmentSink,
        length_ms: int,
        tags_of: Callable[[int, int], Mapping[str, str] | None],
        *,
        is_only_tagged: bool = False,
        on_track: Callable[[VideoTrack], None] = lambda _track: None,
    ) -> None:
        """Start without a fragment; the first key frame begins one."""
        self.frame_count = 0
        self.first_ms = 0
        self.last_ms = 0
        self.length_ms = length_ms
        self._buffer = buffer
        self._tags_of = tags_of
        self._is_only_tagged = is_only_tagged
        self._on_track = on_track
        self._start_ms: int | None = None
        self._track: VideoTrack | None = None
        self._is_finishing = False

    @property
    def is_open(self) -> bool:
        """Return whether a fragment has begun and not ended."""
        return self._start_ms is not None

    @property
    def age_ms(self) -> int:
        """Return the time from the current fragment's start to its last frame."""
        return 0 if self._start_ms is None else self.last_ms - self._start_ms

    @property
    def seconds(self) -> float:
        """Return the time from the first frame to the last."""
        return (self.last_ms - self.first_ms) / 1000

    def is_due(self, at_ms: float, leeway_ms: float = 0.0) -> bool:
        """Return whether a key frame of that time may begin a fragment."""
        return self._start_ms is None or at_ms - self._start_ms >= self.length_ms - leeway_ms

    def write(
        self,
        frame: EncodedFrame,
        track: VideoTrack,
        leeway_ms: float = 0.0,
        *,
        is_reordered: bool = False,
    ) -> None:
        """Add a frame; drop it if no key frame came before it, because it cannot be decoded.

        In a stream that `is_reordered`, a frame may be shown before those that precede it.
        """
        is_cut = frame.is_key and (
            self.is_due(frame.at_ms, leeway_ms) or (track != self._track and self.is_open)
        )
        if is_cut:
            self.end()
            is_cut = not self._is_finishing
        earliest_ms = self._start_ms if is_reordered else None
        at_ms = max(frame.at_ms, (self.last_ms if earliest_ms is None else earliest_ms) + 1)
        if is_cut:
            self._begin(at_ms, track)
        if self.is_open:
            self._buffer.add(EncodedFrame(at_ms, frame.is_key, frame.data))
            self.frame_count += 1
            self.last_ms = max(self.last_ms, at_ms)

    def finish(self, shortest_ms: int) -> bool:
        """Begin no further fragment; return whether the current one is long enough to end."""
        self._is_finishing, self.length_ms = True, min(self.length_ms, shortest_ms)
        return not self.is_open or self.age_ms >= shortest_ms

    def end(self) -> None:
        """End the current fragment, if there is one."""
        if self._start_ms is not None:
            tags = self._tags_of(self._start_ms, self.last_ms)
            self._start_ms = None
            self._buffer.end(tags, is_wanted=tags is not None or not self._is_only_tagged)

    def _begin(self, at_ms: int, track: VideoTrack) -> None:
        if track != self._track:
            self._on_track(track)
        self._buffer.begin(at_ms, track)
        self._start_ms, self._track = at_ms, track
        self.first_ms = self.first_ms or at_ms
