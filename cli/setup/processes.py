"""Stop the processes that a verb started, and read why one failed."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

TAIL_LINES = 40


def stop_process(process: subprocess.Popen[Any], seconds: float = 5) -> None:
    """Stop the process and its whole group, gently first; it has to lead the group."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    # Also what an ended process has left of its group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def tail_log(log: Path) -> str:
    """Return the end of a log, where the reason of a failure is."""
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines)
