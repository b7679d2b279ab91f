"""The plain AWS CLI, typed into a terminal: a fresh process for each command."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.laptop import LaptopAWS

# To import the CLI, to load its plugins and to read AWS's models takes most of a command's time:
# a process that was forked afterwards has it behind it.
READY = """
import json, os, sys
import awscli.clidriver
driver = awscli.clidriver.create_clidriver()
for service in ("iam", "kinesis", "kinesisvideo", "rekognition", "sns", "sqs"):
    driver.session.get_service_model(service)
for line in sys.stdin:
    if not (child := os.fork()):
        asked = json.loads(line)
        for descriptor, name in ((1, "out"), (2, "err")):
            opened = os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, descriptor)
        status = driver.main(asked["typed"])
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ERROR = re.compile(r"An error occurred \((\w+)\) when calling the (\w+) operation")


@dataclass(frozen=True, slots=True)
class Terminal:
    """A folder in which commands are typed, with the environment that `up` prints."""

    folder: Path
    process: "subprocess.Popen[str]"

    def run(self, line: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of `aws <line>`."""
        out, err = self.folder / ".out", self.folder / ".err"
        asked = {"typed": shlex.split(line), "out": str(out), "err": str(err)}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), out.read_text(), err.read_text()

    def aws(self, line: str) -> Any:
        """What `aws <line>` prints; most commands print JSON, some nothing."""
        status, out, err = self.run(line)
        assert status == 0, f"aws {line}\n{err}"
        return json.loads(out) if out else {}

    def refused(self, line: str) -> tuple[str, str]:
        """Return the name of the error by which AWS refuses `aws <line>`, and what it says."""
        status, out, err = self.run(line)
        found = ERROR.search(err)
        assert status and not out and found, f"aws {line}\n{out}{err}"
        return found[1], err.partition("operation: ")[2].strip()

    def write(self, name: str, document: Any) -> str:
        """Write a JSON file into the folder; return it as a command line names it."""
        (self.folder / name).write_text(json.dumps(document, indent=2))
        return f"file://{name}"


@contextmanager
def terminal(laptop: LaptopAWS, folder: Path) -> Iterator[Terminal]:
    """A terminal until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", READY],
        cwd=folder,
        env=laptop.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Terminal(folder, process)
