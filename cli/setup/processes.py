"""Ends the processes that a verb started, and reads why one failed."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

TAIL_LINES = 40


def stop(process: subprocess.Popen[Any], seconds: float = 5) -> None:
    """End a process that leads its own group, with all it started; gently first."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def tail(log: Path) -> str:
    """The end of a log, where the reason of a failure stands."""
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines)
