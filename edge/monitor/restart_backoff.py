"""When to end with an error: whoever starts the edge anew does so within seconds."""

import threading
from pathlib import Path

from ..errors import EdgeError, InUseError
from . import status
from .report import Report
from .systemd import Systemd

FIRST_PAUSE_S = 5.0


def note(folder: Path, error: EdgeError) -> int:
    """Put an error into the status file; say how many runs in a row have ended with one."""
    if isinstance(error, InUseError):  # the file is another's, who is well
        return 1
    return status.note_end(folder / status.FILE, str(error))


def pause_s(failures: int, error: EdgeError) -> float:
    """Say how long nobody need try again: longer each time, where a restart mends nothing."""
    return float(min(error.longest_pause_s, FIRST_PAUSE_S * 2 ** min(failures - 1, 10)))


def put_off_end(
    seconds: float, report: Report, stop: threading.Event, systemd: Systemd | None = None
) -> None:
    """Wait before the end, under systemd alone; not once somebody says stop.

    systemd can only wait for the same time each time (RestartSteps= is of version 254).
    """
    systemd = systemd or Systemd()
    if seconds and systemd.is_there and not stop.is_set():
        report.say(f"It is tried again in {seconds:.0f} s.")
        systemd.hold(seconds, "ended with an error, waits before it is tried again")
        stop.wait(seconds)
