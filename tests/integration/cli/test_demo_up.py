"""`./whosthere up`: the lines it prints are pasted into another shell and work."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands.up import write_invoke_environment

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def printed(
    built: Any, tmp_path_factory: pytest.TempPathFactory, wait_until: Callable[..., Any]
) -> Iterator[str]:
    """What `up` prints, while it is up."""
    output = tmp_path_factory.mktemp("up") / "output"
    with output.open("w") as out:
        process = subprocess.Popen(
            [str(ROOT / "whosthere"), "up"],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_up() -> str:
        """Its directions are there."""
        assert process.poll() is None, output.read_text()
        return output.read_text() if "Ctrl-C here" in output.read_text() else ""

    try:
        yield wait_until(is_up, 300)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0, output.read_text()
        assert "Left behind: 0 child processes, 0 listening ports." in output.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def lines(printed: str, *starts: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(starts)]


def paste(printed: str, command: str) -> subprocess.CompletedProcess[str]:
    script = "\n".join([*lines(printed, "unset ", "export "), command])
    return subprocess.run(
        ["sh", "-e"],
        input=script,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "AWS_PROFILE": "work"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_every_aws_command_that_up_prints_works_as_printed(printed: str) -> None:
    commands = lines(printed, "aws ")
    assert len(commands) >= 4
    for command in commands:
        done = paste(printed, command)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.long  # plays the whole film, in real time
def test_the_edge_command_that_up_prints_works_as_printed(printed: str) -> None:
    (command,) = lines(printed, "python -m edge")
    done = paste(printed, command)
    assert done.returncode == 0, done.stderr


def test_what_sam_local_invoke_gives_the_functions_is_written_for_their_owner_only(
    laptop: Any, stack: Any, tmp_path: Path
) -> None:
    written = tmp_path / "invoke.json"
    write_invoke_environment(laptop, stack, written)
    assert written.stat().st_mode & 0o077 == 0
    given = json.loads(written.read_text())["Parameters"]
    # the name under which a container finds the relay
    assert given["AWS_ENDPOINT_URL"].startswith("http://localhost:")
    assert given["STACK"] == stack.name
    assert given["BUCKET"] == stack.bucket


def test_up_without_containers_writes_no_key_and_what_it_writes_is_its_owners(printed: str) -> None:
    assert "sam local invoke" not in printed
    assert not (ROOT / ".whosthere" / "invoke.json").exists()
    runs = ROOT / ".whosthere" / "runs"
    readable = [path for path in runs.rglob("*") if path.lstat().st_mode & 0o077]
    assert runs.stat().st_mode & 0o077 == 0
    assert not [path for path in readable if path.parent == runs or path.suffix == ".jsonl"]
