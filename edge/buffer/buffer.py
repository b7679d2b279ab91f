"""The one buffer of a run: each fragment from its first frame until the service stored it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..media import mkv
from .fragment import DROPS, Counts, Fragment, Limits

# A block's time is 16 bits, in milliseconds from the beginning of its fragment.
LONGEST_OFFSET_MS = 32_767
# A source that was opened again may overlap the one before; more means that the clock was set.
OVERLAP_MS = 2000
# Two drops for one reason this far apart are two spells, each logged once.
SPELL_S = 60.0


class FragmentBuffer:
    """Fragments in order of capture, each kept until it is stored, refused or dropped."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        is_held_back: bool = False,
        found: Iterable[Fragment] = (),
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        # A note on locking. This one lock guards every attribute here and every field of every
        # fragment. Each of these calls from a thread of its own:
        # - capture: begin, add, end, close; only begin waits, and only if `ahead` is set
        # - sender: next_after, mark_sent, remove, set_flowing, wait_until, wait_for_change
        # - reader of acks: remove, set_flowing, notify
        # - disk writer: in_memory, seconds_to_disk, mark_written, make_room_on_disk, deletable,
        #   wait_for_change; it reads `pieces` without the lock, as those of a fragment that has
        #   ended do not change
        # - main: close, stop_waiting_for_room, wait_until, and the counts and sizes, which
        #   are replaced as a whole, so that reading one takes no lock
        # Nobody holds it while using a file or a socket. It is re-entrant: public methods call
        # each other. Each change raises `version`, so that a waiter misses none.
        self.lock = threading.Condition()
        self.version = 0
        self.counts = Counts()
        self.buffered_bytes = 0
        self.memory_bytes = 0
        self.captured_at = time.monotonic()
        self._is_closed = False
        self.is_held_back = is_held_back
        self._is_flowing = True
        self._limits = limits or Limits()
        self._ahead = self._limits.ahead
        self._say = say
        self._fragments: dict[int, Fragment] = {}  # by number, in order of capture
        self._in_memory: dict[int, Fragment] = {}  # those that have ended and are in no file
        self.deletable: deque[str] = deque()  # files that nobody needs any more
        self._dropped_at: dict[str, float] = {}
        self._current: Fragment | None = None
        self._last_ms = 0
        for fragment in found:
            self._enter(fragment)
            self.buffered_bytes += fragment.size

    def begin(self, at_ms: int, track: mkv.Track) -> None:
        """Begin the next fragment; wait for room first, if the source is one that can wait."""
        with self.lock:
            self.end(is_tagged=False)
            self.lock.wait_for(lambda: len(self._fragments) < self._ahead)
            overlap_ms = self._last_ms + 1 - at_ms
            shift_ms = overlap_ms if 0 < overlap_ms <= OVERLAP_MS else 0
            timecode = at_ms + shift_ms
            self._current = Fragment(timecode, track, last_ms=timecode, shift_ms=shift_ms)
            self._enter(self._current)
            self._append(self._current, mkv.cluster(timecode))
            self.drop_older_than(timecode)

    def add(self, frame: mkv.EncodedFrame) -> None:
        """Add a frame to the current fragment."""
        with self.lock:
            if self._is_closed:  # by the main thread, which gave up waiting for the source
                return
            assert self._current is not None, "a frame before the first fragment"
            fragment = self._current
            offset_ms = frame.at_ms + fragment.shift_ms - fragment.timecode
            offset_ms = max(0, min(offset_ms, LONGEST_OFFSET_MS))
            if not fragment.is_gone:
                self._append(fragment, mkv.block(offset_ms, is_key=frame.is_key, data=frame.data))
            fragment.frames += 1
            fragment.last_ms = self._last_ms = fragment.timecode + offset_ms
            self.captured_at = time.monotonic()
            self._count(frames=1)
            while self.buffered_bytes > self._limits.buffer_bytes and len(self._fragments) > 1:
                self.remove(next(iter(self._fragments.values())), "buffer full")
            while self.memory_bytes > 2 * self._limits.memory_bytes and self._in_memory:
                self.remove(next(iter(self._in_memory.values())), "disk failed")
            self.notify()

    def end(self, *, is_tagged: bool, is_wanted: bool = True) -> None:
        """End the current fragment: mark it for image generation, or drop it as unwanted."""
        with self.lock:
            fragment, self._current = self._current, None
            if fragment is None or fragment.is_gone:
                return
            if not is_wanted:
                self.remove(fragment, "unwanted")
                return
            if is_tagged:
                self._append(fragment, mkv.image_generation())
            self._append(fragment, mkv.end_of_fragment())
            fragment.is_complete, fragment.ended_at = True, time.monotonic()
            self._in_memory[fragment.number] = fragment
            self.notify()

    def close(self) -> None:
        """End the last fragment; later frames are ignored."""
        with self.lock:
            self.end(is_tagged=False)
            self._is_closed = True
            self.notify()

    def stop_waiting_for_room(self) -> None:
        """Let a source that waits for room go on without it."""
        with self.lock:
            self._ahead = float("inf")
            self.notify()

    def next_after(self, before: Fragment | None) -> Fragment | None:
        """Return the first fragment after another, if it can be sent now."""
        with self.lock:
            first = -1 if before is None else before.number
            following = next((f for f in self._fragments.values() if f.number > first), None)
            if following is None or (self.is_held_back and not following.is_complete):
                return None
            return following if following.frames else None

    def mark_sent(self, fragment: Fragment) -> None:
        """Note that a connection has carried a whole fragment."""
        with self.lock:
            fragment.sent_at = time.monotonic()
            if not fragment.was_sent:
                fragment.was_sent = True
                self._count(sent=1)

    def remove(self, fragment: Fragment, outcome: str) -> bool:
        """Remove a fragment and count its outcome: persisted, refused, unwanted or one of DROPS.

        Return False if it was removed before.
        """
        with self.lock:
            if fragment.is_gone:
                return False
            fragment.is_gone = True
            del self._fragments[fragment.number]
            self.buffered_bytes -= fragment.size
            if fragment.path:
                self.deletable.append(fragment.path)
            else:
                self._in_memory.pop(fragment.number, None)
                self.memory_bytes -= fragment.size
            if outcome in DROPS:
                self._count_drop(outcome)
            else:
                self._count(**{outcome: 1})
            self.notify()
            return True

    def drop_older_than(self, now_ms: int) -> None:
        """Drop the fragments that are more than the limit behind a time."""
        with self.lock:
            first_ms = now_ms - self._limits.behind_s * 1000
            while (oldest := self.oldest_ended) and oldest.last_ms < first_ms:
                self.remove(oldest, "too far behind")

    def set_flowing(self, is_flowing: bool) -> None:
        """Note whether fragments get through; while they do not, each goes to disk at once."""
        with self.lock:
            self._is_flowing = is_flowing
            self.notify()

    def in_memory(self) -> list[Fragment]:
        """Return the fragments that have ended and are not on disk."""
        with self.lock:
            return list(self._in_memory.values())

    def seconds_to_disk(self, fragment: Fragment) -> float:
        """Return in how many seconds a fragment in memory should be written, 0 for now."""
        if not self._is_flowing or self.memory_bytes > self._limits.memory_bytes:
            return 0.0
        return max(0.0, fragment.ended_at + self._limits.memory_s - time.monotonic())

    def mark_written(self, fragment: Fragment, path: str) -> None:
        """Note the file of a fragment, and free its memory."""
        with self.lock:
            if fragment.is_gone:
                self.deletable.append(path)
                return
            fragment.path = path
            del self._in_memory[fragment.number]
            self.memory_bytes -= fragment.size
            fragment.pieces = []  # a new list: the sender may be using the old one

    def make_room_on_disk(self) -> bool:
        """Drop the oldest fragment on disk, if memory is full; return whether one was."""
        with self.lock:
            if self.memory_bytes <= self._limits.memory_bytes:
                return False
            oldest = next((f for f in self._fragments.values() if f.path), None)
            return oldest is not None and self.remove(oldest, "buffer full")

    def notify(self) -> None:
        """Wake all who wait for a change."""
        with self.lock:
            self.version += 1
            self.lock.notify_all()

    def wait_for_change(self, version: int, timeout_s: float) -> None:
        """Wait until something has changed since `version`."""
        self.wait_until(lambda: self.version != version, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds, and return whether it does."""
        with self.lock:
            return self.lock.wait_for(condition, timeout_s)

    @property
    def oldest_ended(self) -> Fragment | None:
        """Return the fragment that waits longest to be stored, if it has ended."""
        with self.lock:
            oldest = next(iter(self._fragments.values()), None)
            return oldest if oldest and oldest.is_complete else None

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to capture, to send or to wait for."""
        with self.lock:
            return self._is_closed and not self._fragments

    def _enter(self, fragment: Fragment) -> None:
        fragment.number = self.counts.fragments
        self._fragments[fragment.number] = fragment
        self._count(fragments=1)

    def _append(self, fragment: Fragment, piece: bytes) -> None:
        fragment.pieces.append(piece)
        fragment.size += len(piece)
        self.buffered_bytes += len(piece)
        self.memory_bytes += len(piece)

    def _count_drop(self, reason: str) -> None:
        by, now = self.counts.dropped_by, time.monotonic()
        self.counts = replace(self.counts, dropped_by={**by, reason: by.get(reason, 0) + 1})
        if now - self._dropped_at.get(reason, float("-inf")) > SPELL_S:
            self._say(f"{DROPS[reason]}. The status counts them.")
        self._dropped_at[reason] = now

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self.counts, name) + number for name, number in more.items()}
        self.counts = replace(self.counts, **changed)
