"""Watches over a run from its first connection to its last ack, and tells how it is."""

import threading
import time
from dataclasses import asdict

from .capture.thread import Capturing
from .config import Config
from .errors import UnhealthyError
from .fragments import FragmentBuffer
from .monitor import show_status, status
from .monitor.report import Report
from .monitor.status import Status
from .monitor.systemd import Systemd
from .monitor.watchdog import Remedy, Watchdog
from .upload.sender import Sender
from .upload.service_clock import ClockWatch

# A service that has not answered by now does so after the body, if at all.
ACCEPTED_S = 3.0
# How long to wait for the last acks: after the film, and when told to stop.
LAST_ACKS_S = 60.0
LAST_ACKS_STOPPED_S = 10.0
# How long a capture may take to end its last fragment: PutMedia's shortest, and a bit.
LAST_FRAGMENT_S = 5.0
TICK_S = 0.25
STATUS_S = 30.0
# The file may lie on a memory card, so it is not written more often than is of use.
FILE_S = 5.0


class Supervisor:
    """The main thread's part of a run."""

    def __init__(
        self,
        config: Config,
        report: Report,
        stop: threading.Event,
        capturing: Capturing,
        buffer: FragmentBuffer,
        sender: Sender,
    ) -> None:
        self._config = config
        self._report = report
        self._stop = stop
        self._capturing = capturing
        self._buffer = buffer
        self._sender = sender
        self._systemd = Systemd()
        self._watchdog = Watchdog(config.ack_limit_s)
        self._clock = ClockWatch()
        self._has_begun = False
        self._file = status.folder(config.buffer_folder) / status.FILE
        self._failures = status.failures(self._file)
        self._since = time.time()
        self._file_at = 0.0
        self._line_at = time.monotonic() + STATUS_S

    def wait_for_acceptance(self) -> bool:
        """Wait a while for the service's first answer; say whether to go on."""
        deadline = time.monotonic() + ACCEPTED_S
        sender = self._sender
        while not sender.is_over and not sender.is_accepted and not self._stop.is_set():
            is_late = time.monotonic() > deadline
            if is_late and (sender.is_connected or self._capturing.is_live):
                break
            self._buffer.wait_until(lambda: sender.is_over or sender.is_accepted, 0.1)
        self._raise_error()
        return not self._stop.is_set()

    def watch_capture(self) -> None:
        """Go on until the source ends, somebody says stop or something goes wrong for good."""
        self._has_begun = True
        self._systemd.ready()
        while not self._capturing.is_over and not self._stop.is_set():
            self._stop.wait(TICK_S)
            self._raise_error()
            self._look()
            self._tell()
        if self._stop.is_set():
            self._end_capture()
        self._raise_error()

    def wait_for_last_acks(self) -> None:
        """Wait until all is stored, or until that does not seem to happen any more."""
        began = last_change = time.monotonic()
        counts = self._buffer.counts
        while not self._buffer.is_done and not self._sender.is_over:
            now = time.monotonic()
            if self._stop.is_set():
                # Whoever stops a service waits for it; what is left is on disk.
                if now - began > LAST_ACKS_STOPPED_S or not self._sender.is_connected:
                    break
            elif now - last_change > LAST_ACKS_S:
                break
            self._buffer.wait_until(lambda: self._buffer.is_done or self._sender.is_over, 0.25)
            if counts != self._buffer.counts:
                last_change, counts = now, self._buffer.counts
            self._tell()
        self._raise_error()

    def end(self) -> None:
        """Stop capturing, whatever happened, and tell what became of it all."""
        self._end_capture()
        if self._has_begun:
            self._write_file()
            self._report.ended(self._buffer.counts, self._capturing.seconds)

    @property
    def is_whole(self) -> bool:
        """Say whether all was stored; a camera that was told to stop has no "all"."""
        if self._capturing.is_live and self._stop.is_set():
            return True
        counts = self._buffer.counts
        return counts.persisted + counts.unwanted == counts.fragments

    def _end_capture(self) -> None:
        self._capturing.stop()
        self._buffer.wait_no_more()
        self._capturing.join(LAST_FRAGMENT_S)
        self._buffer.close()

    def _raise_error(self) -> None:
        for error in (self._sender.error, self._capturing.error):
            if error is not None:
                raise error

    def _look(self) -> None:
        if moved_s := self._clock.set_by():
            way = "forward" if moved_s > 0 else "back"
            self._report.say(
                f"The clock was set {way} by {abs(moved_s):.0f} s; pictures are dated anew."
            )
            self._capturing.restart()
        remedy = self._watchdog.look(
            captured_at=self._buffer.captured_at,
            acked_at=self._sender.acked_at,
            is_waiting=self._buffer.is_waiting,
        )
        if remedy is Remedy.RESTART:
            self._report.say("Unhealthy for too long: the source and the connection are renewed.")
            self._capturing.restart()
            self._sender.give_up_connection()
        elif remedy is Remedy.EXIT:
            raise UnhealthyError(
                f"No video gets through, {self._reason()}. Giving up, to be started anew."
            )
        if self._watchdog.is_healthy:
            self._systemd.alive()

    def _reason(self) -> str:
        return self._newest_error()[1] or "for no known reason"

    def _newest_error(self) -> tuple[float, str]:
        parts = (self._capturing, self._sender)
        return max((part.last_error_at, part.last_error) for part in parts)

    def _tell(self) -> None:
        now = time.monotonic()
        if now >= self._line_at:
            self._line_at = now + STATUS_S
            self._report.status(self.status())
            self._systemd.status(show_status.in_words({**asdict(self.status()), "runs": True}))
        if now >= self._file_at:
            self._file_at = now + FILE_S
            self._write_file()

    def _write_file(self) -> None:
        try:
            status.write(self._file, self.status())
        except OSError:
            # A full disk is told by whoever keeps fragments there.
            return

    def status(self) -> Status:
        """Say how the run is doing now."""
        counts, oldest = self._buffer.counts, self._buffer.oldest
        is_behind = oldest is not None and oldest.is_complete
        error_at, error = self._newest_error()
        behind_s = time.time() - oldest.timecode / 1000 if oldest and is_behind else 0.0
        return Status(
            captured=counts.frames,
            sent=counts.sent,
            acknowledged=counts.persisted,
            buffered=counts.waiting,
            buffered_bytes=self._buffer.buffered_bytes,
            dropped=counts.dropped_by | ({"refused": counts.refused} if counts.refused else {}),
            behind_s=round(max(0.0, behind_s), 3),
            last_error=error,
            last_error_at=error_at,
            failures=0 if counts.persisted else self._failures,
            is_healthy=self._watchdog.is_healthy,
            since=self._since,
        )
