"""The command `whosthere-edge`: `whosthere-edge --help`, or `python -m edge --help`."""

import sys
import threading

from .commands import cameras, check, snapshot
from .commands.gstreamer_pipeline import gstreamer_pipeline, omissions
from .config import Config, parse
from .errors import EdgeError
from .monitor import restart_backoff, show_status, status
from .monitor.event_log import EventLog
from .monitor.systemd import SystemdNotifier
from .run import run
from .signals import stop_on_signals

OVERVIEW = """\
usage: whosthere-edge [run] OPTIONS    send a camera's video (run --help lists the options)
       whosthere-edge status           show the state of this machine's cameras
       whosthere-edge cameras          list the cameras connected to this machine
       whosthere-edge check OPTIONS    try source, mask, keys, stream and clock; send nothing
       whosthere-edge snapshot FILE    write what the camera sees as a picture

"""
QUERY_COMMANDS = {
    "status": show_status.main,
    "cameras": cameras.main,
    "check": check.main,
    "snapshot": snapshot.main,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    verb, rest = (given[0], given[1:]) if given and not given[0].startswith("-") else ("run", given)
    if verb in QUERY_COMMANDS:
        return QUERY_COMMANDS[verb](rest)
    if verb != "run":
        sys.stderr.write(f"whosthere-edge: no verb {verb!r}\n\n{OVERVIEW}")
        return 2
    if not given or given[0] in ("-h", "--help"):
        sys.stdout.write(OVERVIEW)
    return _run(rest)


def _run(arguments: list[str]) -> int:
    config = parse(arguments)
    if config.is_pipeline_printed:
        sys.stdout.write(gstreamer_pipeline(config) + "\n")
        sys.stderr.write(omissions(config))
        return 0
    event_log = EventLog(config, sys.stdout, sys.stderr)
    stop = threading.Event()
    try:
        with stop_on_signals(stop):
            return _run_until_stopped(config, event_log, stop)
    finally:
        SystemdNotifier().stopping()


def _run_until_stopped(config: Config, event_log: EventLog, stop: threading.Event) -> int:
    try:
        return 0 if run(config, event_log, stop) else 1
    except EdgeError as exc:
        event_log.log(str(exc))
        failed_runs = restart_backoff.count_failed_run(status.status_file(config), exc)
        delay_s = restart_backoff.restart_delay_s(failed_runs, exc)
        restart_backoff.delay_exit(delay_s, event_log, stop)
        return exc.exit_code


if __name__ == "__main__":
    sys.exit(main())
