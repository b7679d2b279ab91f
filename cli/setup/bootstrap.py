"""Make the locked environments under `.whosthere/` and enter the project's.

    environments/<name>.txt --uv--> .whosthere/<name>/    project, emulator, lambda

Runs on Python 3.9 and later. Writes nothing outside the checkout but uv's cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from cli.setup.toolchain import (
    ROOT,
    WORK_DIR,
    BootstrapError,
    clean_environment,
    find_python,
    find_uv,
    is_usable_python,
    print_progress,
    run_uv,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS = ("project", "emulator", "lambda")
# Held back while Python imports, so that a Ctrl-C then ends in one line and not in a traceback.
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# What `.whosthere/bin` holds, for a reader's PATH: sam and the Python that it builds with. Not the
# project's `aws`, which is version 1 and would hide the reader's own.
TOOLS = ("sam", "python3.13")


def main(arguments: list[str]) -> NoReturn:
    """Prepare the environments, then become `python -m cli` in the project's."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        prepare()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until cli.interrupts handles them
    except BootstrapError as error:
        sys.exit(f"whosthere: {error}")
    except OSError as error:
        sys.exit(f"whosthere: the environments cannot be written: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    binaries = WORK_DIR / "project" / "bin"
    variables = clean_environment(dict(os.environ))
    # sam wants a Python with pip, and takes the first one on PATH
    path = variables.get("PATH", os.defpath)
    variables["PATH"] = f"{binaries}{os.pathsep}{path}"
    variables["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'functions'}"
    python = str(binaries / "python")
    os.execve(python, [python, "-P", "-m", "cli", *arguments], variables)


def prepare() -> None:
    """Make each environment that is missing, incomplete or not as its lock file says."""
    if all(_is_ready(name) for name in ENVIRONMENTS):
        _make_tools()
        return
    WORK_DIR.mkdir(exist_ok=True)
    with _bootstrap_lock():
        missing = [name for name in ENVIRONMENTS if not _is_ready(name)]
        if not missing:
            return
        print_progress("preparing; this takes a minute or two, and only the first time")
        uv = find_uv()
        for number, name in enumerate(missing, 1):
            print_progress(f"environment {number} of {len(missing)}: {name}")
            _make_environment(uv, name)
        _make_tools()
        print_progress("the environments are ready")


@contextlib.contextmanager
def _bootstrap_lock() -> Iterator[None]:
    # The kernel drops the lock with its holder, so a killed run leaves none behind.
    with (WORK_DIR / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print_progress("waiting: another whosthere is preparing the environments")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_ready(name: str) -> bool:
    python = WORK_DIR / name / "bin" / "python"
    return os.access(python, os.X_OK) and _read_stamp(name) == _wanted_stamp(name)


def _read_stamp(name: str) -> list[str]:
    try:
        return (WORK_DIR / name / "stamp").read_text().splitlines()
    except OSError:
        return []


def _wanted_stamp(name: str) -> list[str]:
    # The scripts of an environment carry its path: after a move it is made again.
    lock = (ROOT / "environments" / f"{name}.txt").read_bytes()
    return [str(ROOT), hashlib.sha256(lock).hexdigest()]


def _make_tools() -> None:
    """Make the folder with the tools that the README puts on a reader's PATH."""
    for name in TOOLS:
        tool, program = WORK_DIR / "bin" / name, WORK_DIR / "project" / "bin" / name
        script = f'#!/bin/sh\nexec {shlex.quote(str(program))} "$@"\n'
        if tool.is_file() and tool.read_text() == script:
            continue
        tool.parent.mkdir(exist_ok=True)
        part = tool.with_name(f"{name}.{os.getpid()}")
        part.write_text(script)
        part.chmod(0o755)
        part.replace(tool)


def _make_environment(uv: str, name: str) -> None:
    place = WORK_DIR / name
    python = str(place / "bin" / "python")
    whole = _read_stamp(name)[:1] == [str(ROOT)] and is_usable_python(python)
    # Until it has a stamp again, the environment counts as incomplete.
    (place / "stamp").unlink(missing_ok=True)
    if not whole:
        base = find_python(uv)
        options = ["--quiet", "--no-project", "--clear", "--python", base]
        run_uv(uv, "venv", *options, str(place))
    # Read before it is installed: a lock that changes meanwhile is installed at the next start.
    stamp = _wanted_stamp(name)
    lock = str(ROOT / "environments" / f"{name}.txt")
    # Compiled now, as later starts may not be allowed to write bytecode.
    options = ["--require-hashes", "--compile-bytecode", "--python", python]
    if not sys.stderr.isatty():
        options.append("--quiet")
    run_uv(uv, "pip", "sync", *options, lock)
    part = place / "stamp.part"
    part.write_text("\n".join(stamp) + "\n")
    part.replace(place / "stamp")
