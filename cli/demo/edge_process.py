"""Run the real edge as a child process, on the film or a camera."""

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
from cli.setup.processes import stop_process, tail_log
from cli.setup.toolchain import ROOT

STOP_TIMEOUT_SECONDS = 15  # the edge waits for its last acknowledgements


class EdgeProcess:
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
        """Start the edge; a film stands on its first picture until `play`."""
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
                start_new_session=True,  # this process forwards a Ctrl-C
            )
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()

    def __enter__(self) -> "EdgeProcess":
        """Return the running edge."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the edge and read its output to the end."""
        self.stop()
        self._reader.join()
        self.play()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def play(self) -> None:
        """Start the film, or count a camera's time from now on."""
        if self._is_live and self.first_capture is None:
            self.first_capture = datetime.now(UTC)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: `poll` says why
            self._process.stdin.close()

    def stop(self) -> None:
        """Stop the edge early; it still delivers what it has captured."""
        stop_process(self._process, STOP_TIMEOUT_SECONDS)

    def poll(self) -> bool:
        """Read the edge's events and return whether it has ended; VerbError if it failed."""
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
            raise VerbError(f"the edge stopped with exit code {code}:\n{tail_log(self._log)}")
        return code is not None

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))
