"""Writes pictures: thinned to the rate that was asked for, of one size, encoded."""

from typing import Protocol

import av

from ..media.rotate import Upright, fit
from .encoder import Encoder, Video, best_encoder
from .segmenter import Cutter

# A source's steps may be a little shorter than its rate says.
RATE_LEEWAY = 0.1
# Two steps that differ by less are taken as a beat that goes on.
SAME_STEP_MS = 2


class Look(Protocol):
    """Looks at pictures on their way."""

    def look(self, image: av.VideoFrame, at_ms: int) -> None: ...


class Thinned:
    """Says which frames to keep so that at most `rate` a second are left."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._due: float | None = None

    def keeps(self, seconds: float) -> bool:
        """Decide on the next frame."""
        if self._due is None:
            self._due = seconds
        if seconds < self._due - RATE_LEEWAY * self._step:
            return False
        # Counted on from when it was due, or a rate that does not divide would lose more.
        self._due = max(self._due, seconds - self._step / 2) + self._step
        return True


class Encoding:
    """Encodes pictures into a cutter, and opens another encoder when their size changes."""

    def __init__(
        self, cutter: Cutter, look: Look, *, size: tuple[int, int], rate: float, bitrate_kbit: int
    ) -> None:
        self._cutter = cutter
        self._look = look
        self._largest = size
        self._rate = rate
        self._bitrate_kbit = bitrate_kbit
        self._encoder: Encoder | None = None
        self._upright = Upright(0, 0)
        self._steps = (0, 0)
        self._last_ms = 0
        self._key_ms: int | None = None

    def write(self, image: av.VideoFrame, at_ms: int, aspect: float) -> None:
        """Encode a picture; a key frame where a fragment is due."""
        size = fit(image, aspect, self._largest)
        if size != self._upright.size or self._encoder is None:
            self._reopen(size)
        assert self._encoder is not None
        upright = self._upright.turn(image)
        self._look.look(upright, at_ms)
        is_key = self._is_due(at_ms)
        if is_key:
            self._key_ms = at_ms
        for frame, track in self._encoder.encode(upright, at_ms, is_key=is_key):
            self._cutter.write(frame, track)
        self._end_in_time(at_ms)

    def rest(self) -> None:
        """Write what is still inside the encoder."""
        if self._encoder is not None:
            for frame, track in self._encoder.rest():
                self._cutter.write(frame, track)
            self._encoder = None

    def _reopen(self, size: tuple[int, int]) -> None:
        self.rest()
        self._upright = Upright(*size)
        self._encoder = best_encoder(Video(*size, self._rate, self._bitrate_kbit))
        self._key_ms = None

    def _end_in_time(self, at_ms: int) -> None:
        """End the fragment with its last frame, where the next one's time is foreseen.

        The service then need not wait for that frame to learn that the fragment is whole.
        """
        self._steps = (self._steps[1], at_ms - self._last_ms)
        self._last_ms = at_ms
        is_foreseen = abs(self._steps[1] - self._steps[0]) <= SAME_STEP_MS
        is_written = self._cutter.last_ms == at_ms
        if is_foreseen and is_written and self._is_due(at_ms + min(self._steps)):
            self._cutter.end()

    def _is_due(self, at_ms: int) -> bool:
        return self._key_ms is None or at_ms - self._key_ms >= self._cutter.length_ms
