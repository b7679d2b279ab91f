"""Cuts a row of frames into fragments, each from one key frame to another."""

from collections.abc import Callable
from typing import Protocol

from ..fragments import EncodedFrame
from ..media.mkv import Track


class Buffer(Protocol):
    """Takes the fragments, and never waits for the network."""

    def begin(self, at_ms: int, track: Track) -> None: ...
    def add(self, frame: EncodedFrame) -> None: ...
    def end(self, *, is_tagged: bool, is_wanted: bool = True) -> None: ...
    def close(self) -> None: ...


class Cutter:
    """Puts frames into fragments of `length_ms` at least.

    `is_tagged` is asked at the end of each fragment, with the time of its first and last
    frame, whether it is marked for image generation. Times only grow: one that does not
    is set a millisecond after the last.
    """

    def __init__(
        self,
        buffer: Buffer,
        length_ms: int,
        is_tagged: Callable[[int, int], bool],
        *,
        is_only_tagged: bool = False,
    ) -> None:
        self.captured = 0
        self.first_ms = 0
        self.last_ms = 0
        self.length_ms = length_ms
        self._buffer = buffer
        self._is_tagged = is_tagged
        self._is_only_tagged = is_only_tagged
        self._begun_ms: int | None = None
        self._track: Track | None = None
        self._is_last = False

    @property
    def is_open(self) -> bool:
        """Say whether a fragment is under way."""
        return self._begun_ms is not None

    @property
    def age_ms(self) -> int:
        """Say how far the last frame is from the beginning of the fragment under way."""
        return 0 if self._begun_ms is None else self.last_ms - self._begun_ms

    @property
    def seconds(self) -> float:
        """Say how long the video is from its first frame to its last."""
        return (self.last_ms - self.first_ms) / 1000

    def is_due(self, at_ms: float, leeway_ms: float = 0.0) -> bool:
        """Say whether a fragment may begin at a key frame of that time."""
        return self._begun_ms is None or at_ms - self._begun_ms >= self.length_ms - leeway_ms

    def write(self, frame: EncodedFrame, track: Track, leeway_ms: float = 0.0) -> None:
        """Put in a frame; what comes before the first key frame is of no use to anybody."""
        is_cut = frame.is_key and (
            self.is_due(frame.at_ms, leeway_ms) or (track != self._track and self.is_open)
        )
        if is_cut:
            self.end()
            is_cut = not self._is_last
        at_ms = max(frame.at_ms, self.last_ms + 1)
        if is_cut:
            self._begin(at_ms, track)
        if self.is_open:
            self._buffer.add(EncodedFrame(at_ms, frame.is_key, frame.data))
            self.captured += 1
            self.last_ms = at_ms

    def is_enough(self, shortest_ms: int) -> bool:
        """Finish with the fragment under way, once it is long enough; say whether it is."""
        self._is_last, self.length_ms = True, min(self.length_ms, shortest_ms)
        return not self.is_open or self.age_ms >= shortest_ms

    def end(self) -> None:
        """End the fragment under way."""
        if self._begun_ms is not None:
            is_tagged = self._is_tagged(self._begun_ms, self.last_ms)
            self._begun_ms = None
            self._buffer.end(is_tagged=is_tagged, is_wanted=is_tagged or not self._is_only_tagged)

    def _begin(self, at_ms: int, track: Track) -> None:
        self._buffer.begin(at_ms, track)
        self._begun_ms, self._track = at_ms, track
        self.first_ms = self.first_ms or at_ms
