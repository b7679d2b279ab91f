"""Sends a film to a camera's video stream: `python -m edge --help`."""

import os
import signal
import sys
import threading
from types import FrameType

from .config import parse
from .errors import EdgeError
from .pipeline import run
from .report import Report

STOPPED_AT_ONCE = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the edge and give its exit code."""
    config = parse(arguments)
    report = Report(config, sys.stdout, sys.stderr)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(STOPPED_AT_ONCE)
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    try:
        return 0 if run(config, report, stop) else 1
    except EdgeError as exc:
        report.say(str(exc))
        return exc.exit_code


if __name__ == "__main__":
    sys.exit(main())
