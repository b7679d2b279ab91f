"""Run directories: the laptop AWS's files and the logs, kept only after a failure."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cli.errors import InputError, VerbError
from cli.setup.toolchain import WORK_DIR

RUNS = WORK_DIR / "runs"
PRIVATE = 0o077  # the umask of files that hold keys or faces
FULL_BYTES = 1024 * 1024  # with less left a disk counts as full


@contextmanager
def private_files() -> Iterator[None]:
    """Make the files that are written in this block readable by their owner only."""
    before = os.umask(PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def run_dir(verb: str, *, keep: bool = False) -> Iterator[Path]:
    """Make a directory for this run, and remove it at the end unless the run fails or `keep`.

    On a full disk nothing is kept, and InputError says where there is no space.
    """
    _clear()
    now = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    folder = RUNS / f"{now}-{verb}-{os.getpid()}"
    try:
        with private_files():
            folder.mkdir(parents=True)
            RUNS.chmod(0o700)  # an earlier version may have made it
            yield folder
    except (KeyboardInterrupt, InputError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except (VerbError, OSError) as error:
        if not _tells_of_full_disk(error):
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"the disk of {RUNS} is full") from error
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


def _tells_of_full_disk(error: Exception) -> bool:
    if os.strerror(errno.ENOSPC) in str(error):  # also in what sam said
        return True
    with suppress(OSError):
        return shutil.disk_usage(RUNS).free < FULL_BYTES
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
