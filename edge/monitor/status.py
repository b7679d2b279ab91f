"""How a camera is doing, as one value and as the file that `whosthere-edge status` reads."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "status.json"


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a run.

    `captured` counts frames; `sent`, `acknowledged`, `buffered` and `dropped` (by reason)
    count fragments. `behind_s` is the age of the oldest video not acknowledged yet.
    `since` is when the run began, `last_error_at` when the last error came, in seconds
    since 1970. `failures` counts the runs that ended with an error since something was
    acknowledged.
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


def folder(state: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Say where the file lies: where systemd has a folder in memory, no card wears out."""
    given = environment.get("RUNTIME_DIRECTORY")
    return Path(given.split(":")[0]) if given else state


def write(path: Path, status: Status) -> None:
    """Replace the file as a whole, so that a reader never sees half of it."""
    _replace(path, asdict(status))


def note_end(path: Path, error: str) -> int:
    """Put in what ended a run, beside what it had counted; give how many have ended so in a row."""
    try:
        known = read(path)
        failures = int(known.get("failures", 0)) + 1
    except (OSError, ValueError):
        known, failures = asdict(Status()), 1
    facts = {"is_healthy": False, "last_error": error, "last_error_at": time.time()}
    with contextlib.suppress(OSError):  # no folder: it ended before it had any
        _replace(path, known | facts | {"failures": failures})
    return failures


def failures(path: Path) -> int:
    """Say how many runs in a row have ended with an error."""
    try:
        return int(read(path).get("failures", 0))
    except (OSError, ValueError):
        return 0


def _replace(path: Path, facts: Mapping[str, Any]) -> None:
    content = {**facts, "at": time.time(), "pid": os.getpid()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content) + "\n")
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Give what `write` wrote, with `at` (seconds since 1970) and `pid` of the writer."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content
