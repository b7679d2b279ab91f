"""A camera's status: the value, and the file that `whosthere-edge status` reads."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..config import Config

FILE_NAME = "status.json"


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a run at one moment.

    `captured` counts frames; `sent`, `acknowledged`, `buffered` and `dropped` (by reason) count
    fragments. `behind_s` is the age of the oldest video that is not acknowledged. `since` is the
    start of the run and `last_error_at` the time of the last error, in seconds since 1970.
    `failures` counts the runs that ended with an error since a fragment was acknowledged. `video`
    says what is sent and whether it is encoded; `cpu_percent` is what the program used of one core
    since the status before.
    """

    captured: int = 0
    sent: int = 0
    acknowledged: int = 0
    buffered: int = 0
    buffered_bytes: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    behind_s: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0
    failures: int = 0
    is_healthy: bool = True
    since: float = 0.0
    video: str = ""
    cpu_percent: float = 0.0


def status_file(config: Config, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the status file: in systemd's memory-backed folder where there is one.

    Writing there does not wear out a memory card.
    """
    given = environment.get("RUNTIME_DIRECTORY")
    return (Path(given.split(":")[0]) if given else config.buffer_folder) / FILE_NAME


def write(path: Path, status: Status) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    _write_atomically(path, asdict(status))


def record_error(path: Path, error: str) -> int:
    """Add the error that ended a run to its status; return how many runs in a row have failed."""
    try:
        known = read(path)
        failures = int(known.get("failures", 0)) + 1
    except (OSError, ValueError):
        known, failures = asdict(Status()), 1
    facts = {"is_healthy": False, "last_error": error, "last_error_at": time.time()}
    with contextlib.suppress(OSError):  # the run ended before it had a folder
        _write_atomically(path, known | facts | {"failures": failures})
    return failures


def failed_runs(path: Path) -> int:
    """Return how many runs in a row have ended with an error."""
    try:
        return int(read(path).get("failures", 0))
    except (OSError, ValueError):
        return 0


def _write_atomically(path: Path, facts: Mapping[str, Any]) -> None:
    content = {**facts, "at": time.time(), "pid": os.getpid()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content) + "\n")
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return the file's content: the status, `at` (seconds since 1970) and the writer's `pid`."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content
