"""Turns buffered fragments into the body of one PutMedia connection."""

import time
from collections.abc import Callable

from ..buffer.buffer import FragmentBuffer
from ..buffer.fragment import Fragment
from ..buffer.storage import read_cluster
from ..media import mkv

# PutMedia accepts five fragments a second; stored video is sent below that limit.
FRAGMENT_INTERVAL_S = 0.21
# Stored video is sent at most so many times as fast as it was captured.
CATCH_UP_SPEED = 4.0
# A fragment may be sent this much too early after one that was late.
LATE_S = 0.03
# Stored fragments are sent in pieces, so that acks and errors are handled in between.
PIECE_BYTES = 64 * 1024


class Delivery:
    """The body of one connection: fragments in order, at a limited rate.

    A connection has one track, and its timecodes grow. A fragment that does not fit ends the
    connection: then `is_over` is true, between two fragments.
    """

    def __init__(
        self,
        buffer: FragmentBuffer,
        *,
        speed: float = CATCH_UP_SPEED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start a body; `speed` bounds how fast stored video is sent."""
        self.is_over = False
        self._buffer = buffer
        self._speed = speed
        self._monotonic = monotonic
        self._fragment: Fragment | None = None
        self._track: mkv.VideoTrack | None = None
        self._pieces: list[bytes] = []
        self._taken = 0
        self._rest = memoryview(b"")
        self._next_at = float("-inf")
        # By timecode, until the service acknowledges or refuses it; guarded by the buffer's lock.
        self._carried: dict[int, Fragment] = {}

    @property
    def has_begun(self) -> bool:
        """Return whether the connection has carried anything."""
        return self._fragment is not None

    @property
    def is_between_fragments(self) -> bool:
        """Return whether the connection could end here without cutting a fragment."""
        fragment = self._fragment
        if fragment is None or self._rest:
            return not self._rest
        return fragment.is_removed or fragment.sent_at is not None

    @property
    def wait_s(self) -> float:
        """Return how long the rate limit holds back the next fragment."""
        return max(0.0, self._next_at - self._monotonic())

    def take(self) -> bytes:
        """Return the bytes that can be sent now: new frames, or an empty value."""
        if self.is_between_fragments and not self._begin_next():
            return b""
        if not self._rest:
            self._take_pieces()
        piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
        assert self._fragment is not None
        if not self._rest and self._is_all_taken:
            self._buffer.mark_sent(self._fragment)
        return bytes(piece)

    def unacknowledged(self) -> list[Fragment]:
        """List the fragments that are completely sent and wait for their ack."""
        with self._buffer.lock:
            return [f for f in self._carried.values() if f.sent_at is not None and not f.is_removed]

    def resolve(self, timecode: int | None, outcome: str) -> bool:
        """Remove a fragment that the service stored or refused; return whether it was there.

        An error without a timecode counts for the oldest fragment on this connection.
        """
        with self._buffer.lock:
            if timecode is None and outcome == "refused":
                timecode = next(iter(self._carried), None)
            fragment = self._carried.pop(timecode, None) if timecode is not None else None
            return fragment is not None and self._buffer.remove(fragment, outcome)

    def _begin_next(self) -> bool:
        following = self._buffer.next_after(self._fragment)
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
            # The list itself, not a copy: capture still appends to that of an open fragment.
            is_on_disk, pieces = bool(following.path), following.pieces
        try:
            pieces = [read_cluster(following)] if is_on_disk else pieces
        except OSError:
            self._buffer.remove(following, "damaged on disk")
            return False
        head = b"" if self._track else mkv.header(following.track)
        with self._buffer.lock:
            if following.is_removed:
                return False
            following.sent_at = None
            self._carried[following.timecode] = following
        self._fragment, self._track = following, following.track
        self._pieces, self._taken, self._rest = pieces, 0, memoryview(head)
        self._limit_rate(following)
        return True

    def _limit_rate(self, following: Fragment) -> None:
        now = self._monotonic()
        interval_s = max(FRAGMENT_INTERVAL_S, following.duration_s / self._speed)
        # Count from the due time: counted from now, small delays would add up.
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
