"""What a verb leaves behind, however it ends: nothing, and until then nobody else reads it."""

import errno
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cli import __main__ as command
from cli.commands import up
from cli.demo import output
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from cli.setup import laptop_stack, processes, run_dirs

ROOT = Path(__file__).parents[4]


def others_rights(path: Path) -> int:
    return path.stat().st_mode & 0o077


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(run_dirs, "RUNS", tmp_path / "runs")
    (tmp_path / "runs").mkdir(mode=0o755)
    return tmp_path / "runs"


def test_what_a_run_writes_is_readable_by_its_owner_only(runs):
    before = os.umask(0o022)
    try:
        with run_dirs.run_dir("up") as folder:
            (folder / "log").write_text("a key")
            assert [others_rights(path) for path in (runs, folder, folder / "log")] == [0, 0, 0]
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "full_bytes"),
    [
        (VerbError("sam failed"), 2**80),
        (VerbError("sam failed: [Errno 28] No space left on device"), 0),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 0),
    ],
)
def test_on_a_full_disk_one_sentence_says_so_and_no_log_is_kept(
    runs, monkeypatch, error, full_bytes
):
    monkeypatch.setattr(run_dirs, "FULL_BYTES", full_bytes)
    with pytest.raises(InputError, match="the disk of .* is full"), run_dirs.run_dir("up"):
        raise error
    assert list(runs.iterdir()) == []


def test_the_logs_of_a_run_that_failed_otherwise_are_kept(runs):
    with pytest.raises(VerbError, match="sam failed"), run_dirs.run_dir("up"):
        raise VerbError("sam failed")
    assert len(list(runs.iterdir())) == 1


def test_a_demo_that_comes_to_nothing_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "ROOT", tmp_path)
    with pytest.raises(KeyboardInterrupt), output.result_folder(None):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays(tmp_path):
    with output.result_folder(tmp_path):
        pass
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []


def test_results_stay_and_are_their_owners(tmp_path):
    with output.result_folder(tmp_path / "new") as folder:
        (folder / "alert.txt").write_text("Zoë")
    assert others_rights(folder) == others_rights(folder / "alert.txt") == 0


def test_a_second_up_leaves_the_first_ones_file_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(up, "INVOKE_ENVIRONMENT", tmp_path / "invoke.json")
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text("1")
    second.write_text("2")
    with up.published(first) as has_name:
        with up.published(second) as second_has_name:
            assert (has_name, second_has_name) == (True, False)
        assert (tmp_path / "invoke.json").read_text() == "1"
    assert not (tmp_path / "invoke.json").is_symlink()


def test_what_a_killed_up_left_is_replaced(tmp_path, monkeypatch):
    link = tmp_path / "invoke.json"
    monkeypatch.setattr(up, "INVOKE_ENVIRONMENT", link)
    link.symlink_to(tmp_path / "gone")
    (tmp_path / "new").write_text("new")
    with up.published(tmp_path / "new"):
        assert link.read_text() == "new"


@pytest.mark.parametrize("port", ["99999", "65535", "-1", "x", "٣"])
def test_a_port_that_is_none_is_refused_before_anything_starts(port, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["up", f"--port={port}"])
    assert ended.value.code == 2
    assert f"{port!r} is no port" in capsys.readouterr().err


def a_listener():
    """A server on a port that the kernel gives nobody by itself, as it would the one below."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(lowest // 2, lowest), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port - 1)):
            return socket.create_server(("127.0.0.1", port))
    pytest.fail("no two free ports follow each other")


@pytest.mark.parametrize("taken", [0, 1], ids=["of every service", "of media"])
def test_a_port_that_is_taken_is_one_sentence(taken, capsys, monkeypatch):
    monkeypatch.setattr(command.Interrupts, "install", lambda _self: None)
    with a_listener() as other:
        port = other.getsockname()[1]
        assert command.main(["up", "--port", str(port - taken)]) == 1
    said = f"--port {port - taken}: {port} cannot be used: Address already in use"
    assert capsys.readouterr().err == f"\nwhosthere up: {said}\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EACCES, errno.EIO])
def test_what_the_machine_refuses_is_one_sentence(monkeypatch, capsys, number):
    def refused(*_):
        raise OSError(number, os.strerror(number), "/a/file")

    monkeypatch.setattr(command.VERBS["up"], "run", refused)
    monkeypatch.setattr(command.Interrupts, "install", lambda _self: None)
    monkeypatch.setattr(command, "discard_output", lambda: pytest.fail("the terminal is there"))
    assert command.main(["up"]) == 1
    assert capsys.readouterr().err == f"\nwhosthere up: /a/file: {os.strerror(number)}\n"


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    def broken(*_):
        raise OSError(errno.EBADF, "ours")

    monkeypatch.setattr(command.VERBS["up"], "run", broken)
    monkeypatch.setattr(command.Interrupts, "install", lambda _self: None)
    with pytest.raises(OSError, match="ours"):
        command.main(["up"])


HELD_BACK = """
import os, signal
from cli.interrupts import SIGNALS, Interrupts
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
os.kill(os.getpid(), signal.SIGINT)
print("imported", flush=True)
try:
    Interrupts().install()
except KeyboardInterrupt:
    print("interrupted")
"""
CLOSED = """
import os, signal
from cli.interrupts import Interrupts
interrupts = Interrupts()
interrupts.install()
try:
    os.kill(os.getpid(), signal.SIGHUP)
except KeyboardInterrupt:
    print("to a terminal that is gone", flush=True)
"""


@pytest.mark.parametrize(("code", "said"), [(HELD_BACK, "imported\ninterrupted\n"), (CLOSED, "")])
def test_signals_while_it_starts_and_a_closed_terminal(code, said):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_a_second_interrupt_does_not_cut_the_clean_up_off():
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        interrupts._handle(signal.SIGINT, None)
    interrupts._handle(signal.SIGINT, None)
    interrupts._raised -= 60  # the clean-up hangs
    with pytest.raises(KeyboardInterrupt):
        interrupts._handle(signal.SIGINT, None)


def test_a_group_ends_as_a_whole_though_its_leader_has_ended(wait_until):
    sleeper = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    leader = subprocess.Popen(
        [sys.executable, "-c", sleeper], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    with leader.stdout:
        child = int(leader.stdout.readline())
        leader.wait()
        processes.stop_process(leader)

    def is_gone():
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    wait_until(is_gone)


def test_sam_works_in_a_folder_of_the_run_and_leaves_readable_files(tmp_path, monkeypatch):
    tool = tmp_path / "sam"
    tool.write_text('#!/bin/sh\ntouch "$TMPDIR/left" built\nexec sleep 60\n')
    tool.chmod(0o755)
    monkeypatch.setattr(laptop_stack, "BINARIES", tmp_path)
    monkeypatch.setattr(laptop_stack, "ROOT", tmp_path)
    sam = laptop_stack.Sam("stream-processor", tmp_path, {}, verbose=False)
    before = os.umask(0o077)
    try:
        with pytest.raises(KeyboardInterrupt), sam.building():
            while not (tmp_path / "built").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt
    finally:
        os.umask(before)
    assert others_rights(tmp_path / "built")
    assert not list(tmp_path.glob("**/left"))
