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
POLL_S = 0.25
# A full disk that takes a fragment whenever an old one makes room is not writable again.
WRITABLE_AFTER_S = 60.0
# A Pi's memory card may need this long for the fragments in memory.
LAST_WRITE_S = 30.0


class DiskWriter(threading.Thread):
    """Writes the fragments of a buffer to files; retries while the disk is not writable.

    `copies` is a folder in memory (tmpfs). It holds a copy of each complete fragment that is
    neither stored nor on disk; the copy survives a kill, but no power cut. Without `files`
    nothing is written to disk. What the buffer reports is logged here.
    """

    def __init__(
        self,
        buffer: FragmentBuffer,
        files: FragmentFiles | None,
        log: Callable[[str], None],
        copies: FragmentFiles | None = None,
    ) -> None:
        super().__init__(name="disk-writer", daemon=True)
        self._buffer = buffer
        self._files = files
        self._copies = copies
        self._copied = {f.number: f for f in buffer.in_memory() if f.copy}
        self._log = log
        self._retry_at = 0.0  # monotonic; 0 unless the last write failed
        self._failed_at = 0.0  # monotonic; 0 while the disk counts as writable
        self._is_stopping = False

    def run(self) -> None:
        """Write and delete until `stop` is called, then write what is still in memory."""
        try:
            while not self._is_stopping:
                version = self._buffer.version
                self._work()
                # One file at a time: a slow card must not delay the next fragment's file or copy.
                if not (self._files and self._files.sync_next(SYNC_S)):
                    self._buffer.wait_for_change(version, POLL_S)
            self._work()
        finally:
            for folder in (self._copies, self._files):
                if folder:
                    folder.close()

    def stop(self) -> None:
        """Let the thread write what is in memory, release the folders and end; wait for it."""
        self._is_stopping = True
        self._buffer.notify()
        self.join(LAST_WRITE_S)

    def _work(self) -> None:
        """Write and delete what is due."""
        if self._files:
            self._write_due(self._files)
            self._delete_files(self._files)
        if self._copies:
            self._update_copies(self._copies)
        if not self._retry_at and 0 < self._failed_at < time.monotonic() - WRITABLE_AFTER_S:
            self._log("The disk is writable again.")
            self._buffer.set_trouble("")
            self._failed_at = 0.0
        while self._buffer.messages:
            self._log(self._buffer.messages.popleft())

    def _write_due(self, files: FragmentFiles) -> None:
        """Write what is due; on a full disk, drop the oldest fragments to make room for it."""
        while (fragments := self._buffer.in_memory()) and self._is_due(fragments[0]):
            self._delete_files(files)
            try:
                self._buffer.mark_written(fragments[0], files.write(fragments[0]))
                self._retry_at = 0.0
            except OSError as exc:
                if not self._failed_at:
                    text = "The disk is not writable, video stays in memory: "
                    self._buffer.set_trouble(f"{text}{exc.strerror}, in {files.folder}.")
                    self._log(self._buffer.last_error)
                self._failed_at = time.monotonic()
                is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
                if not is_full or not self._buffer.make_room_on_disk():
                    self._retry_at = self._failed_at + RETRY_S
                    return

    def _is_due(self, fragment: Fragment) -> bool:
        may_retry = time.monotonic() >= self._retry_at
        return self._is_stopping or (may_retry and self._buffer.is_due(fragment))

    def _delete_files(self, files: FragmentFiles) -> None:
        while self._buffer.deletable:
            files.delete(self._buffer.deletable.popleft())

    def _update_copies(self, copies: FragmentFiles) -> None:
        wanted = {fragment.number: fragment for fragment in self._buffer.in_memory()}
        for number in self._copied.keys() - wanted.keys():
            if path := self._copied.pop(number).copy:
                copies.delete(path)
        for number in sorted(wanted.keys() - self._copied.keys()):
            self._copied[number] = wanted[number]
            with contextlib.suppress(OSError):  # the fragment itself stays in memory
                wanted[number].copy = copies.write(wanted[number])
