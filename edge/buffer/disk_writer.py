"""The thread that writes fragments to disk, and deletes their files when they are stored."""

import contextlib
import errno
import threading
import time
from collections.abc import Callable

from .buffer import FragmentBuffer
from .fragment import Fragment
from .storage import FragmentFiles

# A power cut loses what was written since the last sync; each sync wears out a memory card.
SYNC_S = 5.0
RETRY_S = 5.0
# A Pi's memory card may need this long for the fragments in memory.
LAST_WRITE_S = 30.0


class DiskWriter(threading.Thread):
    """Writes the fragments of a buffer to files; retries while the disk is not writable.

    `copies` is a folder in memory (tmpfs). It holds a copy of each complete fragment that is
    neither stored nor on disk; the copy survives a kill, but no power cut.
    """

    def __init__(
        self,
        buffer: FragmentBuffer,
        files: FragmentFiles,
        log: Callable[[str], None],
        copies: FragmentFiles | None = None,
    ) -> None:
        super().__init__(name="disk-writer", daemon=True)
        self._buffer = buffer
        self._files = files
        self._copies = copies
        self._copied: dict[int, str] = {}  # paths by number; "" if the copy failed
        self._log = log
        self._synced_at = time.monotonic()
        self._retry_at = 0.0  # monotonic; 0 while the disk is writable
        self._is_stopping = False

    def run(self) -> None:
        """Write and delete until `stop` is called, then write what is still in memory."""
        try:
            while not self._is_stopping:
                version = self._buffer.version
                self._buffer.wait_for_change(version, self._work())
            self._work()
        finally:
            if self._copies:
                self._copies.close()
            self._files.close()

    def stop(self) -> None:
        """Let the thread write what is in memory, release the folders and end; wait for it."""
        self._is_stopping = True
        self._buffer.notify()
        self.join(LAST_WRITE_S)

    def _work(self) -> float:
        """Write and delete what is due; return the seconds until more may be due."""
        self._delete()
        pause_s = self._write_due()
        self._delete()
        if self._copies:
            self._update_copies(self._copies)
        if time.monotonic() - self._synced_at >= SYNC_S:
            self._files.sync()
            self._synced_at = time.monotonic()
        return pause_s

    def _delete(self) -> None:
        while self._buffer.deletable:
            self._files.delete(self._buffer.deletable.popleft())

    def _write_due(self) -> float:
        for fragment in self._buffer.in_memory():
            wait_s = max(self._buffer.write_delay_s(fragment), self._retry_at - time.monotonic())
            if wait_s > 0 and not self._is_stopping:
                return min(wait_s, SYNC_S)
            if not fragment.is_removed and not self._write(fragment):
                return RETRY_S
        return SYNC_S

    def _write(self, fragment: Fragment) -> bool:
        """Write a fragment; on a full disk, drop the oldest ones to make room for it."""
        while True:
            try:
                self._buffer.mark_written(fragment, self._files.write(fragment))
            except OSError as exc:
                if not self._retry_at:
                    self._log(f"The disk is not writable, video stays in memory: {exc.strerror}.")
                self._retry_at = time.monotonic() + RETRY_S
                is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
                if not is_full or not self._buffer.make_room_on_disk():
                    return False
                self._delete()
            else:
                if self._retry_at:
                    self._log("The disk is writable again.")
                self._retry_at = 0.0
                return True

    def _update_copies(self, copies: FragmentFiles) -> None:
        wanted = {fragment.number: fragment for fragment in self._buffer.in_memory()}
        for number in self._copied.keys() - wanted.keys():
            if path := self._copied.pop(number):
                copies.delete(path)
        for number in sorted(wanted.keys() - self._copied.keys()):
            self._copied[number] = ""
            with contextlib.suppress(OSError):  # the fragment itself stays in memory
                self._copied[number] = copies.write(wanted[number])
