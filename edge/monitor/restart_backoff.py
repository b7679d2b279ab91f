"""Delays the exit after an error, because systemd restarts the edge within seconds."""

import threading
from pathlib import Path

from ..errors import EdgeError, InUseError
from . import status
from .event_log import EventLog
from .systemd import SystemdNotifier

FIRST_DELAY_S = 5.0


def count_failed_run(path: Path, error: EdgeError) -> int:
    """Record an error in the status file; return how many runs in a row have failed."""
    if isinstance(error, InUseError):  # the file belongs to the healthy run
        return 1
    return status.record_error(path, str(error))


def restart_delay_s(failures: int, error: EdgeError) -> float:
    """Return the delay before the next start: doubled each time, for errors no restart repairs."""
    return float(min(error.max_restart_delay_s, FIRST_DELAY_S * 2 ** min(failures - 1, 10)))


def delay_exit(
    seconds: float,
    event_log: EventLog,
    stop: threading.Event,
    systemd: SystemdNotifier | None = None,
) -> None:
    """Wait before the exit, under systemd only, until `stop` is set.

    systemd itself only knows one fixed delay (RestartSteps= needs version 254).
    """
    systemd = systemd or SystemdNotifier()
    if seconds and systemd.is_available and not stop.is_set():
        event_log.log(f"The next attempt is in {seconds:.0f} s.")
        systemd.extend_timeout(seconds, "ended with an error, waiting before the next attempt")
        stop.wait(seconds)
