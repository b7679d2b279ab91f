"""The command `whosthere-edge`: `whosthere-edge --help`, or `python -m edge --help`."""

import os
import signal
import sys
import threading
from types import FrameType

from .commands import cameras as show_cameras
from .commands.pipeline_text import missing, pipeline_text
from .config import parse
from .errors import EdgeError
from .monitor import restart_backoff as again
from .monitor import show_status, status
from .monitor.report import Report
from .monitor.systemd import Systemd
from .run import run

STOPPED_AT_ONCE = 130
OVERVIEW = """\
usage: whosthere-edge [run] OPTIONS    send a camera's video (run --help tells more)
       whosthere-edge status           how the cameras of this machine are doing
       whosthere-edge cameras          which cameras this machine has

"""
SHOWING = {"status": show_status.main, "cameras": show_cameras.main}


def main(arguments: list[str] | None = None) -> int:
    """Run the command and give its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    verb, rest = (given[0], given[1:]) if given and not given[0].startswith("-") else ("run", given)
    if verb in SHOWING:
        return SHOWING[verb](rest)
    if verb != "run":
        sys.stderr.write(f"whosthere-edge: no verb {verb!r}\n\n{OVERVIEW}")
        return 2
    if not given or given[0] in ("-h", "--help"):
        sys.stdout.write(OVERVIEW)
    return _run(rest)


def _run(arguments: list[str]) -> int:
    config = parse(arguments)
    if config.is_pipeline_printed:
        sys.stdout.write(pipeline_text(config) + "\n")
        sys.stderr.write(missing(config))
        return 0
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
        failures = again.note(status.folder(config.buffer_folder), exc)
        again.put_off_end(again.pause_s(failures, exc), report, stop)
        return exc.exit_code
    finally:
        Systemd().stopping()


if __name__ == "__main__":
    sys.exit(main())
