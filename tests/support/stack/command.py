"""The commands as their users type them: in a shell, or faster in this process."""

import io
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest

from local.laptop import ROOT

LIMIT_S = 180


def called(command, arguments, folder, environment):
    """Run a command in this process, with its own folder and environment."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name in os.environ:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            code = command([str(part) for part in arguments])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def in_shell(arguments, folder, environment, typed=""):
    """Run a verb in a process of its own, which gets what the test types."""
    with shell_process(arguments, folder, environment) as process:
        out, err = process.communicate(typed, timeout=LIMIT_S)
    return SimpleNamespace(returncode=process.returncode, stdout=out, stderr=err)


@contextmanager
def shell_process(arguments, folder, environment):
    """Start a verb in a process of its own, which is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
