"""The buffer of a run: keeps each fragment from its first frame until the service stored it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import takewhile

from ..media import mkv
from .fragment import DROP_MESSAGES, Counts, Fragment, Limits

# A Matroska block has a signed 16-bit time, in milliseconds from the start of its cluster.
LONGEST_OFFSET_MS = 32_767
# A reopened source may overlap the previous one by this much; more means that the clock was set.
OVERLAP_MS = 2000
# A drop is logged only if there was none for the same reason in the last minute.
LOG_INTERVAL_S = 60.0


class FragmentBuffer:
    """Fragments in order of capture, each kept until it is stored, refused or dropped."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        holds_until_complete: bool = False,
        recovered: Iterable[Fragment] = (),
    ) -> None:
        # This lock guards all fields of the buffer and of its fragments. The threads of capture,
        # sender, ack reader and disk writer and the main thread call; only capture waits, in
        # begin. Without the lock they read `counts`, `buffered_bytes` and `version`, which are
        # replaced, never changed in place, and the `pieces` of a complete fragment, which do not
        # change. No thread holds the lock while it uses a file, a socket or the log. It is
        # re-entrant: public methods call each other. Each change raises `version`: a waiter
        # misses none.
        self.lock = threading.Condition()
        self.version = 0
        self.counts = Counts()
        self.buffered_bytes = 0
        self.captured_at = time.monotonic()
        self.last_error = ""  # of the disk, for the status
        self.last_error_at = 0.0
        self._is_closed = False
        self._is_holding = holds_until_complete
        self._is_online = True
        self._limits = limits or Limits()
        self._ahead = self._limits.ahead
        self._fragments: dict[int, Fragment] = {}  # by number, in order of capture
        self.deletable: deque[str] = deque()  # paths of unneeded files
        self.messages: deque[str] = deque()  # for the log
        self._dropped_at: dict[str, float] = {}
        self._current: Fragment | None = None
        self._last_ms = self._shift_ms = 0
        for fragment in recovered:
            self._register(fragment)

    def begin(self, at_ms: int, track: mkv.VideoTrack) -> None:
        """Begin the next fragment; with a limit `ahead`, wait for room first."""
        with self.lock:
            self.end(None)
            self.lock.wait_for(lambda: len(self._fragments) < self._ahead)
            overlap_ms = self._last_ms + 1 - at_ms
            self._shift_ms = overlap_ms if 0 < overlap_ms <= OVERLAP_MS else 0
            self._current = Fragment(at_ms + self._shift_ms, track)
            self.drop_older_than(self._current.timecode)

    def add(self, frame: mkv.EncodedFrame) -> None:
        """Add a frame to the current fragment."""
        with self.lock:
            if self._is_closed:  # the main thread did not wait for a source that hangs
                return
            assert self._current is not None, "a frame before the first fragment"
            fragment = self._current
            if not fragment.frames:  # an empty fragment would hold up all that follow
                self._register(fragment)
                self._append(fragment, mkv.cluster(fragment.timecode))
            offset_ms = frame.at_ms + self._shift_ms - fragment.timecode
            offset_ms = max(0, min(offset_ms, LONGEST_OFFSET_MS))
            if not fragment.is_removed:
                self._append(fragment, mkv.block(offset_ms, is_key=frame.is_key, data=frame.data))
            fragment.frames += 1
            fragment.last_ms = self._last_ms = fragment.timecode + offset_ms
            self.captured_at = time.monotonic()
            self._count("frames")
            while self.buffered_bytes > self._limits.buffer_bytes and len(self._fragments) > 1:
                self.remove(next(iter(self._fragments.values())), "buffer full")
            while self.memory_bytes > 2 * self._limits.memory_bytes and self.in_memory():
                self.remove(self.in_memory()[0], "disk failed")
            self.notify()

    def end(self, tags: Mapping[str, str] | None, *, is_wanted: bool = True) -> None:
        """End the current fragment, or remove it as unwanted.

        With tags, images of it are generated, which have these tags as metadata. Their times are
        those of the frames, so a fragment whose times were moved has none.
        """
        with self.lock:
            fragment, self._current = self._current, None
            if fragment is None or fragment.is_removed or not fragment.frames:
                return
            if not is_wanted:
                self.remove(fragment, "unwanted")
                return
            if tags is not None:
                self._append(fragment, mkv.image_generation({} if self._shift_ms else tags))
            self._append(fragment, mkv.end_of_fragment())
            fragment.is_complete, fragment.completed_at = True, time.monotonic()
            self.notify()

    def close(self) -> None:
        """End the last fragment; later frames are ignored."""
        with self.lock:
            self.end(None)
            self._is_closed = True
            self.notify()

    def stop_waiting_for_room(self) -> None:
        """Remove the limit `ahead`, so that a source that waits for room continues."""
        with self.lock:
            self._ahead = float("inf")
            self.notify()

    def next_after(self, before: Fragment | None) -> Fragment | None:
        """Return the next fragment after `before`, or the first; None if it cannot be sent yet."""
        with self.lock:
            last = -1 if before is None else before.number
            following = (f for f in self._fragments.values() if f.number > last)
            return next((f for f in following if f.is_complete or not self._is_holding), None)

    def mark_sent(self, fragment: Fragment) -> None:
        """Note that all bytes of a fragment were sent on a connection."""
        with self.lock:
            fragment.sent_at = time.monotonic()
            if not fragment.was_sent:
                fragment.was_sent = True
                self._count("sent")

    def remove(self, fragment: Fragment, outcome: str) -> bool:
        """Remove a fragment and count its outcome; return False if it was removed before.

        `outcome` is persisted, refused, unwanted or a key of DROP_MESSAGES.
        """
        with self.lock:
            if fragment.is_removed:
                return False
            fragment.is_removed = True
            del self._fragments[fragment.number]
            self.buffered_bytes -= fragment.size
            if fragment.path:
                self.deletable.append(fragment.path)
            if outcome in DROP_MESSAGES:
                self._count_drop(outcome)
            else:
                self._count(outcome)
            self.notify()
            return True

    def drop_older_than(self, now_ms: int) -> None:
        """Drop the fragments that are older at `now_ms` than the limit `behind_s` allows."""
        with self.lock:
            first_ms = now_ms - self._limits.behind_s * 1000
            while (oldest := self.oldest_complete) and oldest.last_ms < first_ms:
                self.remove(oldest, "too far behind")

    def set_online(self, is_online: bool) -> None:
        """Note whether acks arrive; while they do not, complete fragments go to disk at once."""
        with self.lock:
            self._is_online = is_online
            self.notify()

    def in_memory(self) -> list[Fragment]:
        """Return the complete fragments that are not on disk."""
        with self.lock:
            return [f for f in reversed(self._not_on_disk()) if f.is_complete]

    def is_due(self, fragment: Fragment) -> bool:
        """Return whether a fragment in memory must be written to disk now."""
        is_full = self.memory_bytes > self._limits.memory_bytes
        age_s = time.monotonic() - fragment.completed_at
        return is_full or not self._is_online or age_s >= self._limits.memory_s

    def mark_written(self, fragment: Fragment, path: str) -> None:
        """Note the file of a fragment and free its memory."""
        with self.lock:
            if fragment.is_removed:
                self.deletable.append(path)
                return
            fragment.path = path
            fragment.pieces = []  # a new list, because the sender may read the old one

    def make_room_on_disk(self) -> bool:
        """If memory is full, drop the oldest fragment on disk; return whether one was dropped."""
        with self.lock:
            if self.memory_bytes <= self._limits.memory_bytes:
                return False
            oldest = next((f for f in self._fragments.values() if f.path), None)
            return oldest is not None and self.remove(oldest, "disk failed")

    def set_trouble(self, text: str) -> None:
        """Note what is wrong with the disk now; an empty text if nothing is."""
        self.last_error, self.last_error_at = text, time.time() if text else 0.0

    def notify(self) -> None:
        """Wake all threads that wait for a change."""
        with self.lock:
            self.version += 1
            self.lock.notify_all()

    def wait_for_change(self, version: int, timeout_s: float) -> None:
        """Wait until `version` is outdated, at most this long."""
        self.wait_until(lambda: self.version != version, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds, at most this long; return whether it does."""
        with self.lock:
            return self.lock.wait_for(condition, timeout_s)

    @property
    def memory_bytes(self) -> int:
        """Return the size of all fragments in memory, with that of the current one."""
        with self.lock:
            return sum(fragment.size for fragment in self._not_on_disk())

    @property
    def oldest_complete(self) -> Fragment | None:
        """Return the oldest fragment that is not stored, if it is complete."""
        with self.lock:
            oldest = next(iter(self._fragments.values()), None)
            return oldest if oldest and oldest.is_complete else None

    @property
    def is_done(self) -> bool:
        """Return whether the buffer is closed and empty."""
        with self.lock:
            return self._is_closed and not self._fragments

    def _register(self, fragment: Fragment) -> None:
        fragment.number = self.counts.fragments
        self._fragments[fragment.number] = fragment
        self._count("fragments")
        self.buffered_bytes += fragment.size

    def _not_on_disk(self) -> list[Fragment]:
        # Newest first. The disk writer writes the oldest first, so that these are in a row.
        return list(takewhile(lambda f: not f.path, reversed(self._fragments.values())))

    def _append(self, fragment: Fragment, piece: bytes) -> None:
        fragment.pieces.append(piece)
        fragment.size += len(piece)
        self.buffered_bytes += len(piece)

    def _count_drop(self, reason: str) -> None:
        by, now = self.counts.dropped_by, time.monotonic()
        self.counts = replace(self.counts, dropped_by={**by, reason: by.get(reason, 0) + 1})
        if now - self._dropped_at.get(reason, float("-inf")) > LOG_INTERVAL_S:
            self.messages.append(f"{DROP_MESSAGES[reason]}. The status counts them.")
        self._dropped_at[reason] = now

    def _count(self, name: str) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + 1})
