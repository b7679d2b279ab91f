"""Makes the locked environments under `.whosthere/` and enters the project's.

    environments/<name>.lock --uv--> .whosthere/<name>/    project, emulator, lambda

Runs on Python 3.9 and later. Nothing outside the checkout is written but uv's cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from cli.setup.toolchain import (
    PLACE,
    ROOT,
    BootstrapError,
    clean,
    find_python,
    find_uv,
    run,
    say,
    works,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS = ("project", "emulator", "lambda")


def main(arguments: list[str]) -> NoReturn:
    """Prepare what is missing, then become `python -m cli` in the project's own."""
    try:
        prepare()
    except BootstrapError as error:
        sys.exit(f"whosthere: {error}")
    except OSError as error:
        sys.exit(f"whosthere: the environments cannot be written: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    binaries = PLACE / "project" / "bin"
    variables = clean(dict(os.environ))
    # sam wants a Python with pip, and takes the first one on PATH
    path = variables.get("PATH", os.defpath)
    variables["PATH"] = f"{binaries}{os.pathsep}{path}"
    variables["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'functions'}"
    python = str(binaries / "python")
    os.execve(python, [python, "-P", "-m", "cli", *arguments], variables)


def prepare() -> None:
    """Make each environment that is missing, half made or not as its lock file says."""
    if all(_is_ready(name) for name in ENVIRONMENTS):
        return
    PLACE.mkdir(exist_ok=True)
    with _only_one():
        missing = [name for name in ENVIRONMENTS if not _is_ready(name)]
        if not missing:
            return
        say("preparing; this takes a minute or two, and only the first time")
        uv = find_uv()
        for number, name in enumerate(missing, 1):
            say(f"environment {number} of {len(missing)}: {name}")
            _make(uv, name)
        say("the environments are ready")


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    # The kernel drops the lock with its holder, so a killed run leaves none behind.
    with (PLACE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting: another whosthere is preparing the environments")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_ready(name: str) -> bool:
    python = PLACE / name / "bin" / "python"
    return os.access(python, os.X_OK) and _stamp(name) == _wanted(name)


def _stamp(name: str) -> list[str]:
    try:
        return (PLACE / name / "stamp").read_text().splitlines()
    except OSError:
        return []


def _wanted(name: str) -> list[str]:
    # The scripts of an environment carry its path: one that was moved is made anew.
    lock = (ROOT / "environments" / f"{name}.lock").read_bytes()
    return [str(ROOT), hashlib.sha256(lock).hexdigest()]


def _make(uv: str, name: str) -> None:
    place = PLACE / name
    python = str(place / "bin" / "python")
    whole = _stamp(name)[:1] == [str(ROOT)] and works(python)
    # From here until it has a stamp again, the environment counts as half made.
    (place / "stamp").unlink(missing_ok=True)
    if not whole:
        base = find_python(uv)
        options = ["--quiet", "--no-project", "--clear", "--python", base]
        run(uv, "venv", *options, str(place))
    lock = str(ROOT / "environments" / f"{name}.lock")
    # Compiled now: later starts would pay for it where nobody may write bytecode.
    options = ["--require-hashes", "--compile-bytecode", "--python", python]
    if not sys.stderr.isatty():
        options.append("--quiet")
    run(uv, "pip", "sync", *options, lock)
    part = place / "stamp.part"
    part.write_text("\n".join(_wanted(name)) + "\n")
    part.replace(place / "stamp")
