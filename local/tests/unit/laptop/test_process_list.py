"""Ctrl-C while the laptop's processes are listed: the list comes all the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local.laptop import ROOT

# what `./whosthere up` does twice a second, in a terminal's process group of its own
LIST = """
import os, signal
from local.laptop import _processes_of_group
signal.signal(signal.SIGINT, lambda *_: None)
print([process.pid for process in _processes_of_group(os.getpgid(0))])
"""
SLOW = """#!/bin/sh
touch "$STARTED"
sleep 0.5
PATH=/usr/bin:/bin exec ps "$@"
"""


def test_an_interrupt_of_the_group_does_not_end_the_list_of_processes(tmp_path: Path) -> None:
    started = tmp_path / "started"
    (tmp_path / "ps").write_text(SLOW)
    (tmp_path / "ps").chmod(0o700)
    listing = subprocess.Popen(
        [sys.executable, "-c", LIST],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "STARTED": str(started)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    while not started.exists():
        assert listing.poll() is None
        time.sleep(0.01)
    os.killpg(listing.pid, signal.SIGINT)
    assert str(listing.pid) in listing.communicate(timeout=30)[0].decode()
    assert listing.returncode == 0
