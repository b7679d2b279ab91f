"""Run directories: the laptop AWS's files and the logs, kept only after a failure."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cli.errors import InputError
from cli.setup.toolchain import WORK_DIR

RUNS = WORK_DIR / "runs"


@contextmanager
def run_dir(verb: str, *, keep: bool = False) -> Iterator[Path]:
    """Make a directory for this run, and remove it at the end unless the run fails or `keep`."""
    _clear()
    now = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    folder = RUNS / f"{now}-{verb}-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    except (KeyboardInterrupt, InputError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def failed_run_dir() -> Path | None:
    """Return the directory of this process's run, if it failed."""
    return next(RUNS.glob(f"*-{os.getpid()}"), None)


def _clear() -> None:
    """Remove the directories of earlier runs that failed."""
    for folder in RUNS.glob("*-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
