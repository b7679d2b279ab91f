"""`whosthere-edge status`: shows the last status of each camera of this machine."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import status

# A run writes every 5 s; a busy machine may be late.
STALE_S = 15.0
EPILOG = """\
exit codes:
  0  every camera is healthy
  1  one is not, or does not run
  2  no camera has run here, or a wrong option
"""


def main(arguments: list[str]) -> int:
    """Print a line for each camera, or all status files as JSON; return the exit code."""
    options = _parser().parse_args(arguments)
    files = (
        [options.buffer_folder / status.FILE_NAME]
        if options.buffer_folder
        else _status_files(os.environ)
    )
    states = {
        path.parent.name: state
        for path in files
        if options.camera in (None, path.parent.name) and (state := _read_state(path)) is not None
    }
    if not states:
        sys.stderr.write(
            "whosthere-edge status: no camera has run here, or it ran as another user\n"
        )
        return 2
    for camera, state in states.items():
        if not options.json:
            sys.stdout.write(f"{camera}: {format_status(state)}\n")
    if options.json:
        sys.stdout.write(json.dumps(states) + "\n")
    return 0 if all(state["runs"] and state["is_healthy"] for state in states.values()) else 1


def format_status(state: Mapping[str, Any]) -> str:
    """Return a status as one line of text."""
    if not state["runs"]:
        text = f"not running, last status {state['age_s']:.0f} s ago"
    else:
        text = "healthy" if state["is_healthy"] else "NOT healthy"
    text += (
        f"; {state['captured']} frames captured, {state['sent']} fragments sent, "
        f"{state['acknowledged']} acknowledged, {state['buffered']} buffered "
        f"({state['buffered_bytes'] / 1e6:.1f} MB), behind by {state['behind_s']:.1f} s"
    )
    if state.get("video"):
        text += f"; {state['video']}, {state['cpu_percent']:.0f} % of a core"
    for reason, number in state["dropped"].items():
        text += f", {number} dropped ({reason})"
    if not state["last_error"]:
        return text
    ago_s = max(0.0, time.time() - state.get("last_error_at", 0.0))
    return f"{text}; last error {_format_age(ago_s)} ago: {state['last_error']}"


def _format_age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _read_state(path: Path) -> dict[str, Any] | None:
    try:
        state = status.read(path)
        age_s = max(0.0, time.time() - state["at"])
    except (OSError, ValueError, KeyError):
        return None
    runs = age_s < STALE_S and _is_alive(state.get("pid", 0))
    return {**state, "age_s": round(age_s, 1), "runs": runs}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of the service's user
        return True
    return True


def _status_files(environment: Mapping[str, str]) -> list[Path]:
    """Return the status files of all services and of this user's own runs."""
    own = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    places = (Path("/run/whosthere-edge"), Path(own) / "whosthere-edge")
    return sorted(path for place in places for path in place.glob(f"*/{status.FILE_NAME}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="whosthere-edge status",
        description="Show the state of this machine's cameras.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--camera", help="only this camera (default: all)")
    parser.add_argument("--buffer-folder", type=Path, metavar="DIR", help="as given to run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
