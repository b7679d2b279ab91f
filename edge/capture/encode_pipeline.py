"""Encodes decoded frames: drops those above the frame rate, scales and rotates the rest."""

from typing import Protocol

import av

from ..media.rotate import Rotator, output_size
from .encoder import Encoder, VideoFormat, open_best_encoder
from .segmenter import Segmenter

# The intervals of a source may be a little shorter than its rate says.
RATE_LEEWAY = 0.1
# If two intervals differ by no more, the next one is predicted to be the same.
SAME_INTERVAL_MS = 2


class PictureObserver(Protocol):
    """Inspects frames before they are encoded."""

    def on_picture(self, image: av.VideoFrame, at_ms: int) -> None:
        """Inspect a frame; `at_ms` is in milliseconds since 1970."""


class FrameRateLimiter:
    """Selects at most `rate` frames a second."""

    def __init__(self, rate: float) -> None:
        """Set the highest rate, in frames a second."""
        self._step = 1 / rate
        self._due: float | None = None

    def keeps(self, seconds: float) -> bool:
        """Return whether to keep the next frame, whose time is `seconds`."""
        if self._due is None:
            self._due = seconds
        if seconds < self._due - RATE_LEEWAY * self._step:
            return False
        # Count from the due time, else a rate that does not divide would drop more frames.
        self._due = max(self._due, seconds - self._step / 2) + self._step
        return True


class EncodePipeline:
    """Encodes frames into a segmenter; a new frame size opens a new encoder."""

    def __init__(
        self,
        segmenter: Segmenter,
        observer: PictureObserver,
        *,
        size: tuple[int, int],
        rate: float,
        bitrate_kbit: int,
    ) -> None:
        """Prepare to encode; `size` bounds the picture, in pixels, `rate` is in frames a second."""
        self._segmenter = segmenter
        self._observer = observer
        self._largest = size
        self._rate = rate
        self._bitrate_kbit = bitrate_kbit
        self._encoder: Encoder | None = None
        self._rotator = Rotator(0, 0)
        self._intervals_ms = (0, 0)
        self._last_ms = 0
        self._key_ms: int | None = None

    def write(self, image: av.VideoFrame, at_ms: int, aspect: float) -> None:
        """Encode a frame, as a key frame where a fragment should begin.

        `aspect` is the pixel aspect ratio: how many times as wide as high a pixel is shown.
        """
        size = output_size(image, aspect, self._largest)
        if size != self._rotator.size or self._encoder is None:
            self._reopen(size)
        assert self._encoder is not None
        rotated = self._rotator.rotate(image)
        self._observer.on_picture(rotated, at_ms)
        is_key = self._is_due(at_ms)
        if is_key:
            self._key_ms = at_ms
        for frame, track in self._encoder.encode(rotated, at_ms, is_key=is_key):
            self._segmenter.write(frame, track)
        self._end_fragment_early(at_ms)

    def flush(self) -> None:
        """Write the frames that the encoder still holds, and close it."""
        if self._encoder is not None:
            for frame, track in self._encoder.flush():
                self._segmenter.write(frame, track)
            self._encoder = None

    def _reopen(self, size: tuple[int, int]) -> None:
        self.flush()
        self._rotator = Rotator(*size)
        self._encoder = open_best_encoder(VideoFormat(*size, self._rate, self._bitrate_kbit))
        self._key_ms = None

    def _end_fragment_early(self, at_ms: int) -> None:
        """End the fragment after its last frame, if the next frame's time can be predicted.

        The service then need not wait for the next frame to know that the fragment is complete.
        """
        self._intervals_ms = (self._intervals_ms[1], at_ms - self._last_ms)
        self._last_ms = at_ms
        is_predictable = abs(self._intervals_ms[1] - self._intervals_ms[0]) <= SAME_INTERVAL_MS
        is_written = self._segmenter.last_ms == at_ms
        if is_predictable and is_written and self._is_due(at_ms + min(self._intervals_ms)):
            self._segmenter.end()
            # The next frame begins a fragment, even if it comes earlier than predicted.
            self._key_ms = None

    def _is_due(self, at_ms: int) -> bool:
        return self._key_ms is None or at_ms - self._key_ms >= self._segmenter.length_ms
