"""`./whosthere up`: the lines it prints are pasted into another shell and work."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


def test_up_writes_what_sam_local_invoke_gives_the_functions(printed: str) -> None:
    given = json.loads((ROOT / ".whosthere" / "invoke.json").read_text())["Parameters"]
    # the name under which a container finds the relay
    assert given["AWS_ENDPOINT_URL"].startswith("http://localhost:")
    assert given["STACK"] == "whosthere"
    assert f"s3://{given['BUCKET']}/" in printed
