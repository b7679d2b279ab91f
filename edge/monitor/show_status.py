"""`whosthere-edge status`: what each camera of this machine last said about itself."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import status

# A run writes every 5 s; a machine under load gets some more.
STALE_S = 15.0
EPILOG = """\
exit codes:
  0  every camera is healthy
  1  one is not, or does not run
  2  no camera has run here, or a wrong option
"""


def main(arguments: list[str]) -> int:
    """Print a line for each camera, or the files' content as JSON; give the exit code."""
    options = _parser().parse_args(arguments)
    files = [options.buffer_folder / status.FILE] if options.buffer_folder else _found(os.environ)
    states = {
        path.parent.name: state
        for path in files
        if options.camera in (None, path.parent.name) and (state := _state(path)) is not None
    }
    if not states:
        sys.stderr.write("whosthere-edge status: no camera has run here, or not as this user\n")
        return 2
    for camera, state in states.items():
        if not options.json:
            sys.stdout.write(f"{camera}: {in_words(state)}\n")
    if options.json:
        sys.stdout.write(json.dumps(states) + "\n")
    return 0 if all(state["runs"] and state["is_healthy"] for state in states.values()) else 1


def in_words(state: Mapping[str, Any]) -> str:
    """Give one line for a person."""
    if not state["runs"]:
        text = f"does not run, last heard of {state['age_s']:.0f} s ago"
    else:
        text = "healthy" if state["is_healthy"] else "NOT healthy"
    text += (
        f"; {state['captured']} frames captured, {state['sent']} fragments sent, "
        f"{state['acknowledged']} acknowledged, {state['buffered']} buffered "
        f"({state['buffered_bytes'] / 1e6:.1f} MB), behind by {state['behind_s']:.1f} s"
    )
    for reason, number in state["dropped"].items():
        text += f", {number} dropped ({reason})"
    if not state["last_error"]:
        return text
    ago_s = max(0.0, time.time() - state.get("last_error_at", 0.0))
    return f"{text}; last error {_ago(ago_s)} ago: {state['last_error']}"


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _state(path: Path) -> dict[str, Any] | None:
    try:
        state = status.read(path)
        age_s = max(0.0, time.time() - state["at"])
    except (OSError, ValueError, KeyError):
        return None
    runs = age_s < STALE_S and _lives(state.get("pid", 0))
    return {**state, "age_s": round(age_s, 1), "runs": runs}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the service's own user's
        return True
    return True


def _found(environment: Mapping[str, str]) -> list[Path]:
    """Look where services and where this user's own runs keep their state."""
    own = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    places = (Path("/run/whosthere-edge"), Path(own) / "whosthere-edge")
    return sorted(path for place in places for path in place.glob(f"*/{status.FILE}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="whosthere-edge status",
        description="Tell how the cameras of this machine are doing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--camera", help="this one alone (default: every one found)")
    parser.add_argument("--buffer-folder", type=Path, metavar="DIR", help="as given to run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
