"""The fragments on their way: kept until the service has stored them."""

import time
from collections.abc import Callable, Iterable

from .backlog import Backlog
from .fragment import Counts, EncodedFrame, Fragment
from .media import mkv
from .stock import Limits

__all__ = ["Counts", "EncodedFrame", "Fragment", "FragmentBuffer", "Limits"]

# A fragment's frames are dated by 16 bits, in milliseconds from its beginning.
LONGEST_OFFSET_MS = 32_767
# A source that begins anew may overlap the one before by a little; the clock was set
# back if it is more, and then the times are right as they come.
OVERLAP_MS = 2000


class FragmentBuffer(Backlog):
    """Fragments in order of capture; the one thing all threads share.

    The source's thread adds, ack readers settle and refuse, the sender's thread reads.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        is_held_back: bool = False,
        found: Iterable[Fragment] = (),
        say: Callable[[str], None] = lambda text: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(limits, found=found, say=say, monotonic=monotonic)
        self.is_held_back = is_held_back
        self.captured_at = monotonic()
        self._current: Fragment | None = None
        self._on_wire: dict[int, Fragment] = {}
        self._last_ms = 0
        self._does_wait = True

    # What capture calls.

    def begin(self, at_ms: int, track: mkv.Track) -> None:
        """Start the next fragment; wait for room first, if the source is one that can."""
        with self.lock:
            self.end(is_tagged=False)
            self.lock.wait_for(self._has_room)
            overlap_ms = self._last_ms + 1 - at_ms
            shift_ms = overlap_ms if 0 < overlap_ms <= OVERLAP_MS else 0
            timecode = at_ms + shift_ms
            self._current = Fragment(timecode, track, last_ms=timecode, shift_ms=shift_ms)
            self._stock.enter(self._current)
            self._stock.add(self._current, mkv.cluster(timecode))
            self.drop_older_than(timecode)

    def add(self, frame: EncodedFrame) -> None:
        """Add a frame to the fragment under way."""
        with self.lock:
            if self.is_closed:  # by somebody who did not wait for the source
                return
            assert self._current is not None, "a frame before the first fragment"
            fragment = self._current
            offset_ms = frame.at_ms + fragment.shift_ms - fragment.timecode
            offset_ms = max(0, min(offset_ms, LONGEST_OFFSET_MS))
            if not fragment.is_gone:
                block = mkv.block(offset_ms, is_key=frame.is_key, data=frame.data)
                self._stock.add(fragment, block)
            fragment.frames += 1
            fragment.last_ms = self._last_ms = fragment.timecode + offset_ms
            self.captured_at = self._monotonic()
            self._stock.count(frames=1)
            self._stock.drop_beyond_limits()
            self.wake()

    def end(self, *, is_tagged: bool, is_wanted: bool = True) -> None:
        """Say that the fragment under way has all its frames, and whether it is tagged.

        One that is not wanted is never sent; that takes a buffer that holds fragments
        back until they have ended.
        """
        with self.lock:
            fragment, self._current = self._current, None
            if fragment is None or fragment.is_gone:
                return
            if not is_wanted:
                self._let_go(fragment, "unwanted")
                return
            if is_tagged:
                self._stock.add(fragment, mkv.image_generation())
            self._stock.add(fragment, mkv.end_of_fragment())
            self._stock.complete(fragment, self._monotonic())
            self.disk_work.notify_all()
            self.wake()

    def close(self) -> None:
        """Say that no more fragments come."""
        with self.lock:
            self.end(is_tagged=False)
            self.is_closed = True
            self.wake()

    def wait_no_more(self) -> None:
        """Let a source that waits for room go on without it."""
        with self.lock:
            self._does_wait = False
            self.wake()

    # What the sender and the ack readers call.

    def settle(self, timecode: int | None) -> bool:
        """Let go of a fragment that is stored; say whether it was still here."""
        return self._decide(timecode, "persisted")

    def refuse(self, timecode: int | None) -> bool:
        """Let go of a fragment that the service will not take: this one, or the oldest sent."""
        with self.lock:
            if timecode is None:
                timecode = next(iter(self._on_wire), None)
            return self._decide(timecode, "refused")

    def after(self, before: Fragment | None) -> Fragment | None:
        """Give the first fragment behind another that may be sent now."""
        with self.lock:
            following = self._stock.after(before)
            is_ready = following and (following.is_complete or not self.is_held_back)
            return following if is_ready and following and following.frames else None

    def is_begun(self, fragment: Fragment) -> None:
        """Take note that the connection has begun to carry a fragment."""
        self._on_wire[fragment.timecode] = fragment

    def is_sent(self, fragment: Fragment) -> None:
        """Take note that the connection has carried a whole fragment."""
        with self.lock:
            fragment.sent_at = self._monotonic()
            if not fragment.was_sent:
                fragment.was_sent = True
                self._stock.count(sent=1)

    def is_damaged(self, fragment: Fragment) -> None:
        """Let go of a fragment that could not be read from disk."""
        with self.lock:
            self._let_go(fragment, "damaged")

    def forget_sent(self) -> None:
        """Start over: on a new connection nothing has been sent yet."""
        with self.lock:
            for fragment in self._on_wire.values():
                fragment.sent_at = None
            self._on_wire.clear()

    def sent(self) -> list[Fragment]:
        """List the fragments that were sent whole and wait for their ack."""
        with self.lock:
            return [f for f in self._on_wire.values() if f.sent_at is not None and not f.is_gone]

    def _has_room(self) -> bool:
        ahead = self._limits.ahead
        return ahead is None or not self._does_wait or len(self._stock.fragments) < ahead

    def _decide(self, timecode: int | None, outcome: str) -> bool:
        with self.lock:
            fragment = self._on_wire.get(timecode) if timecode is not None else None
            if fragment is None or fragment.is_gone:
                return False
            self._let_go(fragment, outcome)
            return True

    def _let_go(self, fragment: Fragment, outcome: str) -> None:
        self._stock.let_go(fragment, outcome)
        self.disk_work.notify_all()
        self.wake()
