"""The real edge producer as a child: plays the film or a camera, tells when it began and ended."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.errors import VerbError
from cli.setup.laptop_stack import BINARIES, CAMERA, NAME
from cli.setup.processes import stop, tail
from cli.setup.toolchain import ROOT

STOP_SECONDS = 15  # it waits for its last acknowledgements


class Edge:
    """`python -m edge` on one film or camera; use as a context manager."""

    def __init__(
        self,
        source: str,
        variables: Mapping[str, str],
        log: Path,
        *,
        tag: str,
        is_live: bool,
        verbose: bool,
    ) -> None:
        self._is_live = is_live
        self._log = log
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.first_capture: datetime | None = None
        self.ended: dict[str, Any] | None = None
        command = [str(BINARIES / "python"), "-P", "-m", "edge"]
        command += ["--camera", CAMERA, "--source", source]
        command += ["--stack", NAME, "--tag", tag, "--json", *([] if is_live else ["--hold"])]
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**variables, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sys.stderr if verbose else file,
                text=True,
                start_new_session=True,  # a Ctrl-C is ours to hand on
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Edge":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._reader.join()
        self.play()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def play(self) -> None:
        """Let the film go, which stands still until now; a camera counts from now on."""
        if self._is_live and self.first_capture is None:
            self.first_capture = datetime.now(UTC)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: `look` says why
            self._process.stdin.close()

    def stop(self) -> None:
        """End it early; what was captured is still delivered."""
        stop(self._process, STOP_SECONDS)

    def look(self) -> bool:
        """Take note of what it told; whether it has ended. Raises VerbError if it failed."""
        code = self._process.poll()
        if code is not None:
            self._reader.join()
        while not self._events.empty():
            event = self._events.get()
            if event["event"] == "playing":
                self.first_capture = datetime.fromisoformat(event["first_capture"])
            elif event["event"] == "ended":
                self.ended = event
        if code:
            raise VerbError(f"the edge stopped with exit code {code}:\n{tail(self._log)}")
        return code is not None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))
