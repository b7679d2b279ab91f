"""Find or download what makes the environments: uv and a CPython 3.13.

Runs on Python 3.9 and later.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
WORK_DIR = ROOT / ".whosthere"
OLDEST_UV = (0, 8)  # the first whose `uv venv` knows --clear

# A file named `python3.13` is not enough: a pyenv shim may answer with an error, and a
# free-threaded build cannot load the locked packages.
PROBE = """
import ctypes, platform, sqlite3, ssl, sys, sysconfig, zlib
cpython = platform.python_implementation() == "CPython"
threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
sys.exit(0 if cpython and sys.version_info[:2] == (3, 13) and not threaded else 1)
"""

NO_UV = """\
uv is missing and could not be fetched (log: .whosthere/uv.log).
Without a network connection nothing can be installed. With one, {python}
lacks both a working venv and pip: install one of them
  Debian, Ubuntu:  sudo apt install python3-venv
  Fedora:          sudo dnf install python3-pip
or uv itself (https://docs.astral.sh/uv/getting-started/installation/),
then run this again."""

NO_PYTHON = """\
there is no CPython 3.13 here and none could be fetched ({error}).
Install Python 3.13 with what this machine uses, for example
  pyenv install 3.13  |  brew install python@3.13  |  sudo apt install python3.13
then run this again."""


class BootstrapError(Exception):
    """The environments cannot be made; the text says what to install."""


def find_uv() -> str:
    """Return a uv that works and is new enough: the one on PATH, else our own copy."""
    own = WORK_DIR / "uv"
    for candidate in (shutil.which("uv"), str(own / "bin" / "uv")):
        if candidate and _uv_version(candidate) >= OLDEST_UV:
            return candidate
    print_progress("fetching uv, which makes the environments")
    part = WORK_DIR / "uv.part"
    for fetch in (_uv_by_venv, _uv_by_pip):
        shutil.rmtree(part, ignore_errors=True)
        if fetch(part) and _uv_version(str(part / "bin" / "uv")) >= OLDEST_UV:
            shutil.rmtree(own, ignore_errors=True)
            part.replace(own)
            return str(own / "bin" / "uv")
    raise BootstrapError(NO_UV.format(python=sys.executable))


def _uv_by_venv(place: Path) -> bool:
    made = _run_logged(sys.executable, "-m", "venv", str(place))
    return made and _run_logged(str(place / "bin" / "python"), *_pip_install())


def _uv_by_pip(place: Path) -> bool:
    return _run_logged(sys.executable, *_pip_install(), "--target", str(place))


def _pip_install() -> list[str]:
    lock = str(ROOT / "environments" / "uv.txt")
    return ["-m", "pip", "install", "--no-cache-dir", "--require-hashes", "-r", lock]


def _uv_version(uv: str) -> tuple[int, ...]:
    try:
        command = [uv, "--version"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30)
        return tuple(int(part) for part in asked.stdout.split()[1].split(".")[:2])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return (0,)


def find_python(uv: str) -> str:
    """Return a CPython 3.13 that runs: one of this machine, else a downloaded one."""
    for candidate in _candidates():
        if is_usable_python(candidate):
            return candidate
    print_progress("no CPython 3.13 on this machine: fetching one")
    place = WORK_DIR / "python"
    try:
        run_uv(uv, "python", "install", "--no-bin", "--install-dir", str(place), "3.13")
    except BootstrapError as error:
        raise BootstrapError(NO_PYTHON.format(error=error)) from error
    return str(next(place.glob("cpython-3.13*/bin/python3.13")))


def _candidates() -> Iterator[str]:
    folders = [Path(folder) for folder in os.get_exec_path() if folder]
    yield from (str(folder / "python3.13") for folder in folders)
    pyenvs = [Path.home() / ".pyenv"]
    if "PYENV_ROOT" in os.environ:
        pyenvs.insert(0, Path(os.environ["PYENV_ROOT"]))
    for pyenv in pyenvs:
        yield from _newest_first(pyenv / "versions", "3.13*/bin/python3.13")
    managed = Path.home() / ".local" / "share" / "uv" / "python"
    for place in (
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR", managed)),
        WORK_DIR / "python",
    ):
        yield from _newest_first(place, "cpython-3.13*/bin/python3.13")
    yield sys.executable
    yield from (str(folder / "python3") for folder in folders)


def _newest_first(place: Path, pattern: str) -> list[str]:
    return sorted((str(path) for path in place.glob(pattern)), reverse=True)


def is_usable_python(python: str) -> bool:
    """Return whether the file runs and is a CPython 3.13 with what the lock files need."""
    if not os.access(python, os.X_OK):
        return False
    try:
        command = [python, "-I", "-c", PROBE]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def run_uv(*command: str) -> None:
    """Run uv with its output on standard error, as standard output is the verb's."""
    variables = {**clean_environment(dict(os.environ)), "UV_PYTHON_DOWNLOADS": "manual"}
    trusted = ssl.get_default_verify_paths()
    if trusted.cafile or trusted.capath:
        # uv's own list lacks the certificate of a company's proxy
        variables.setdefault("UV_SYSTEM_CERTS", "1")
    try:
        done = subprocess.run(command, stdout=sys.stderr, env=variables, cwd=str(ROOT))
    except OSError as error:
        raise BootstrapError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise BootstrapError(f"`uv {command[1]} {command[2]}` failed, see above")


def _run_logged(*command: str) -> bool:
    variables = clean_environment(dict(os.environ))
    with (WORK_DIR / "uv.log").open("a") as log:
        try:
            done = subprocess.run(command, stdout=log, stderr=log, env=variables)
        except OSError as error:
            log.write(f"{error}\n")
            return False
    return done.returncode == 0


def clean_environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables without those that direct Python or uv elsewhere."""
    foreign = {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV"}
    foreign |= {"CONDA_PREFIX", "UV_SYSTEM_PYTHON", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in variables.items() if name not in foreign}


def print_progress(text: str) -> None:
    """Print one line of progress to standard error."""
    sys.stderr.write(f"whosthere: {text}\n")
    sys.stderr.flush()
