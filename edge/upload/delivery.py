"""Turns buffered fragments into the bytes of one connection."""

import time
from collections.abc import Callable

from ..fragment import Fragment, Place
from ..fragments import FragmentBuffer
from ..media import mkv
from ..ring import DamagedError

# PutMedia takes five fragments a second; what a cut has held back goes out below that.
FRAGMENT_INTERVAL_S = 0.21
# What a cut has held back goes out so many times as fast as it was captured.
CATCH_UP_SPEED = 4.0
# By so much a fragment may follow too soon, when the one before was late.
LATE_S = 0.03
# What lies on disk is sent in pieces, so that acks and errors are heeded in between.
PIECE_BYTES = 64 * 1024


class Delivery:
    """How far one connection has come: fragments in order, the last perhaps in part.

    A connection has one track and times that grow. A fragment that does not fit into it
    ends it: `is_over` says so, between fragments.
    """

    def __init__(
        self,
        buffer: FragmentBuffer,
        read: Callable[[Place], bytes],
        *,
        speed: float = CATCH_UP_SPEED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_over = False
        self._buffer = buffer
        self._read = read
        self._speed = speed
        self._monotonic = monotonic
        self._fragment: Fragment | None = None
        self._track: mkv.Track | None = None
        self._pieces: list[bytes] = []
        self._taken = 0
        self._rest = memoryview(b"")
        self._next_at = float("-inf")
        buffer.forget_sent()

    @property
    def has_begun(self) -> bool:
        """Say whether the connection has carried anything."""
        return self._fragment is not None

    @property
    def is_between_fragments(self) -> bool:
        """Say whether the connection could end here without cutting a fragment."""
        fragment = self._fragment
        if fragment is None or self._rest:
            return not self._rest
        return fragment.is_gone or fragment.sent_at is not None

    @property
    def wait_s(self) -> float:
        """Say how long the next fragment must be held back."""
        return max(0.0, self._next_at - self._monotonic())

    def take(self) -> bytes:
        """Give what can be sent now: frames that have come since, or nothing."""
        if self.is_between_fragments and not self._go_on():
            return b""
        if not self._rest:
            self._take_pieces()
        piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
        assert self._fragment is not None
        if not self._rest and self._is_all_taken:
            self._buffer.is_sent(self._fragment)
        return bytes(piece)

    def _go_on(self) -> bool:
        following = self._buffer.after(self._fragment)
        if following is None or self.is_over or self.wait_s > 0:
            return False
        self.is_over = not self._fits(following)
        return not self.is_over and self._begin(following)

    def _fits(self, following: Fragment) -> bool:
        before = self._fragment
        if before is None:
            return True
        return following.track == self._track and following.timecode > before.last_ms

    def _begin(self, following: Fragment) -> bool:
        with self._buffer.lock:
            # The list itself, in which the frames of a live one are still collected.
            place, pieces = following.place, following.pieces
        try:
            pieces = [self._read(place)] if place else pieces
        except DamagedError:
            self._buffer.is_damaged(following)
            return False
        head = b"" if self._track else mkv.header(following.track)
        with self._buffer.lock:
            if following.is_gone:
                return False
            self._buffer.is_begun(following)
        self._fragment, self._track = following, following.track
        self._pieces, self._taken, self._rest = pieces, 0, memoryview(head)
        self._hold_back(following)
        return True

    def _hold_back(self, following: Fragment) -> None:
        now = self._monotonic()
        interval_s = max(FRAGMENT_INTERVAL_S, following.length_s / self._speed)
        # Counted on from when this one was due, or small delays would add up.
        self._next_at = max(self._next_at, now - LATE_S) + interval_s

    @property
    def _is_all_taken(self) -> bool:
        fragment = self._fragment
        return bool(fragment and fragment.is_complete and self._taken == len(self._pieces))

    def _take_pieces(self) -> None:
        with self._buffer.lock:
            data = b"".join(self._pieces[self._taken :])
            self._taken = len(self._pieces)
        self._rest = memoryview(bytes(self._rest) + data)
