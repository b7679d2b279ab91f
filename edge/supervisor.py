"""Supervises a run from its first connection to its last ack, and publishes its status."""

import threading
import time
from dataclasses import asdict

from .buffer.buffer import FragmentBuffer
from .capture.thread import CaptureThread
from .config import Config
from .errors import UnhealthyError
from .monitor import show_status, status
from .monitor.cpu_meter import CpuMeter
from .monitor.event_log import EventLog
from .monitor.status import Status
from .monitor.systemd import SystemdNotifier
from .monitor.watchdog import Remedy, Watchdog
from .upload.clock_skew import ClockSkewMonitor, ClockStepDetector
from .upload.sender import Sender

# A service that has not answered by now answers only after the body, if at all.
ACCEPTED_S = 3.0
# How long to wait for the last acks: after a film, and after a stop signal.
LAST_ACKS_S = 60.0
LAST_ACKS_STOPPED_S = 10.0
# How long the capture may take to end its last fragment, which PutMedia wants to be 1 s long.
LAST_FRAGMENT_S = 5.0
TICK_S = 0.25
STATUS_S = 30.0
# The file may be on a memory card, which writing wears out.
FILE_S = 5.0


class Supervisor:
    """The part of a run that the main thread executes."""

    def __init__(
        self,
        config: Config,
        event_log: EventLog,
        stop: threading.Event,
        capture: CaptureThread,
        buffer: FragmentBuffer,
        sender: Sender,
        clock_skew: ClockSkewMonitor,
    ) -> None:
        """Take the parts of the run; read the number of failed runs from the status file."""
        self._config = config
        self._event_log = event_log
        self._stop = stop
        self._capture = capture
        self._buffer = buffer
        self._sender = sender
        # Source, service, disk and clock: the status shows the newest trouble of any.
        self._parts = (capture, sender, buffer, clock_skew)
        self._cpu = CpuMeter()
        self._systemd = SystemdNotifier()
        self._watchdog = Watchdog(config.ack_limit_s)
        self._clock = ClockStepDetector()
        self._has_begun = self._is_ready = False
        self._status_file = status.status_file(config)
        self._failures = status.failed_runs(self._status_file)
        self._since = time.time()
        self._next_file_at = 0.0
        self._next_line_at = time.monotonic() + STATUS_S

    def wait_until_accepted(self) -> bool:
        """Wait a few seconds for the service's first answer; return whether to go on."""
        deadline = time.monotonic() + ACCEPTED_S
        sender = self._sender
        while not sender.is_over and not sender.is_accepted and not self._stop.is_set():
            is_late = time.monotonic() > deadline
            if is_late and (sender.is_connected or self._capture.is_live):
                break
            self._buffer.wait_until(lambda: sender.is_over or sender.is_accepted, 0.1)
        self._raise_error()
        return not self._stop.is_set()

    def watch_capture(self) -> None:
        """Check the run's health until the source ends, `stop` is set or a part fails."""
        self._has_begun = True
        while not self._capture.is_over and not self._stop.is_set():
            self._stop.wait(TICK_S)
            self._raise_error()
            self._report_ready()
            self._check_health()
            self._publish_status()
        self._report_ready()
        if self._stop.is_set():
            self._stop_capture()
        self._raise_error()

    def wait_for_last_acks(self) -> None:
        """Wait until all fragments are stored, or until acks stop coming."""
        began = last_change = time.monotonic()
        counts = self._buffer.counts
        while not self._buffer.is_done and not self._sender.is_over:
            now = time.monotonic()
            if self._stop.is_set():
                # The service manager waits for the exit, and what is left is on disk.
                if now - began > LAST_ACKS_STOPPED_S or not self._sender.is_connected:
                    break
            elif now - last_change > LAST_ACKS_S:
                break
            self._buffer.wait_until(lambda: self._buffer.is_done or self._sender.is_over, 0.25)
            if counts != self._buffer.counts:
                last_change, counts = now, self._buffer.counts
            self._publish_status()
        self._raise_error()

    def finish(self) -> None:
        """Stop the capture and report the run's totals, however the run ended."""
        self._stop_capture()
        if self._has_begun:
            self._write_status_file()
            self._event_log.ended(self._buffer.counts, self._capture.seconds)

    @property
    def is_all_stored(self) -> bool:
        """Return whether all fragments were stored; true for a live source that was stopped."""
        if self._capture.is_live and self._stop.is_set():
            return True
        counts = self._buffer.counts
        return counts.persisted + counts.unwanted == counts.fragments

    def _stop_capture(self) -> None:
        self._capture.stop()
        self._buffer.stop_waiting_for_room()
        self._capture.join(LAST_FRAGMENT_S)
        self._buffer.close()

    def _raise_error(self) -> None:
        for error in (self._sender.error, self._capture.error):
            if error is not None:
                raise error

    def _check_health(self) -> None:
        if step_s := self._clock.step_s():
            way = "forward" if step_s > 0 else "back"
            self._event_log.log(
                f"The clock was set {way} by {abs(step_s):.0f} s; video gets new timestamps."
            )
            self._capture.restart()
        remedy = self._watchdog.check(
            captured_at=self._buffer.captured_at,
            acked_at=self._sender.acked_at,
            is_waiting=self._buffer.oldest_complete is not None,
        )
        if remedy is Remedy.RESTART:
            self._event_log.log(
                "Unhealthy for too long: the source and the connection are reopened."
            )
            self._capture.restart()
            self._sender.drop_connection()
        elif remedy is Remedy.EXIT:
            raise UnhealthyError(
                f"No video gets through, {self._reason()}. The edge exits to be restarted."
            )
        if self._watchdog.is_healthy:
            self._systemd.keep_alive()

    def _report_ready(self) -> None:
        """Report the start to systemd once frames flow."""
        if self._buffer.counts.frames and not self._is_ready:
            self._is_ready = True
            self._systemd.ready()

    def _reason(self) -> str:
        return self._newest_error()[1] or "for no known reason"

    def _newest_error(self) -> tuple[float, str]:
        return max((part.last_error_at, part.last_error) for part in self._parts)

    def _publish_status(self) -> None:
        now = time.monotonic()
        if now >= self._next_line_at:
            self._next_line_at = now + STATUS_S
            self._event_log.status(self.status())
            self._systemd.status(show_status.format_status({**asdict(self.status()), "runs": True}))
        if now >= self._next_file_at:
            self._next_file_at = now + FILE_S
            self._write_status_file()

    def _write_status_file(self) -> None:
        try:
            status.write(self._status_file, self.status())
        except OSError:
            # The disk writer reports a full disk.
            return

    def status(self) -> Status:
        """Return the run's status now."""
        counts, oldest = self._buffer.counts, self._buffer.oldest_complete
        error_at, error = self._newest_error()
        behind_s = time.time() - oldest.timecode / 1000 if oldest else 0.0
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
            video=self._capture.video,
            cpu_percent=round(self._cpu.percent(), 1),
        )
