"""Turns buffered fragments into the bytes of one connection."""

import time
from collections.abc import Callable

from . import mkv
from .fragments import Fragment, FragmentBuffer

# PutMedia takes five fragments a second; what a cut has held back goes out below that.
FRAGMENT_INTERVAL_S = 0.25


class Delivery:
    """How far one connection has come: fragments in order, the last perhaps in part."""

    def __init__(self, buffer: FragmentBuffer, monotonic: Callable[[], float] = time.monotonic):
        self._buffer = buffer
        self._monotonic = monotonic
        self._fragment: Fragment | None = None
        self._frames = 0
        self._started_at = float("-inf")
        buffer.forget_sent()

    @property
    def is_between_fragments(self) -> bool:
        """Say whether the connection could end here without cutting a fragment."""
        return self._fragment is None or self._is_over(self._fragment)

    @property
    def wait_s(self) -> float:
        """Say how long the next fragment must be held back."""
        return max(0.0, self._started_at + FRAGMENT_INTERVAL_S - self._monotonic())

    def take(self) -> bytes:
        """Give what can be sent now: frames that have come since, or nothing."""
        with self._buffer.lock:
            if self.is_between_fragments and not self._go_on():
                return b""
            assert self._fragment is not None
            return self._rest_of(self._fragment)

    def _is_over(self, fragment: Fragment) -> bool:
        return fragment.is_gone or fragment.sent_at is not None

    def _go_on(self) -> bool:
        before = None if self._fragment is None else self._fragment.timecode
        following = self._buffer.after(before)
        if following is None or not following.frames or self.wait_s > 0:
            return False
        self._fragment, self._frames = following, 0
        self._started_at = self._monotonic()
        return True

    def _rest_of(self, fragment: Fragment) -> bytes:
        pieces = []
        if self._frames == 0:
            pieces.append(mkv.image_generation() if fragment.is_tagged else b"")
            pieces.append(mkv.cluster(fragment.timecode))
        for frame in fragment.frames[self._frames :]:
            offset_ms = frame.at_ms - fragment.timecode
            pieces.append(mkv.block(offset_ms, is_key=frame.is_key, data=frame.data))
        self._frames = len(fragment.frames)
        if fragment.is_complete:
            pieces.append(mkv.end_of_fragment())
            fragment.sent_at = self._monotonic()
        return b"".join(pieces)
