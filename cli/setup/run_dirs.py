"""Folders of runs: the laptop AWS's files and the logs, kept only where something failed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cli.errors import InputError
from cli.setup.toolchain import PLACE

RUNS = PLACE / "runs"


@contextmanager
def run_folder(verb: str, *, keep: bool = False) -> Iterator[Path]:
    """A folder of its own for this run; gone afterwards, unless the run failed or `keep`."""
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


def logs_left() -> Path | None:
    """The folder of this process's run, if it failed."""
    return next(RUNS.glob(f"*-{os.getpid()}"), None)


def _clear() -> None:
    """Take away what earlier failed runs left: it was there to be looked at, not to stay."""
    for folder in RUNS.glob("*-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
