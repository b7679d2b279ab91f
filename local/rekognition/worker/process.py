"""A worker process with messages over its standard input and output."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

from local.rekognition.worker import wire

ROOT = Path(__file__).parents[3]
# The pictures are small: more threads in the numeric libraries only take memory.
FEW_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerDiedError(Exception):
    """A worker process ended while it had a job."""


class Worker:
    """One process of `local.rekognition.<module>`; it ends when its standard input does."""

    def __init__(self, module: str) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"local.rekognition.{module}"],
            cwd=ROOT,
            env={**os.environ, **FEW_THREADS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._to = cast(BinaryIO, self._process.stdin)
        self._from = cast(BinaryIO, self._process.stdout)

    def send(self, head: wire.Head, body: bytes = b"") -> None:
        """Write to the worker; raise WorkerDiedError if it has ended."""
        try:
            wire.send(self._to, head, body)
        except (OSError, ValueError) as error:
            raise WorkerDiedError from error

    def receive(self) -> tuple[wire.Head, bytes]:
        """Wait for the worker; WorkerDiedError if it has gone."""
        try:
            message = wire.receive(self._from)
        except (OSError, ValueError) as error:
            raise WorkerDiedError from error
        if message is None:
            raise WorkerDiedError
        return message

    def kill(self) -> None:
        """End the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and let go of its pipes; for the thread that speaks to it."""
        self.kill()
        for stream in (self._to, self._from):
            with contextlib.suppress(OSError):
                stream.close()
