"""A camera for tests: the real edge, which plays a grey film as long as needed."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.laptop import ROOT, LaptopAWS
from local.tests.support.media.films import draw

# Longer than any file of tests takes, however slow the machine is.
LONGEST_SECONDS = 3600


@contextmanager
def streaming(
    laptop: LaptopAWS, folder: Path, *more: str, film: Path | None = None, stack: str = "whosthere"
) -> Iterator["subprocess.Popen[str]"]:
    """Let the stack's camera front-door send until the end of the block."""
    if film is None:
        film = folder / "grey.mp4"
        if not film.exists():
            draw(film, frames=LONGEST_SECONDS * 2, rate=2)
    command = [sys.executable, "-m", "edge", "--camera", "front-door", "--stack", stack]
    command += ["--source", str(film), "--json", *more]
    with (folder / "edge.log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=laptop.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert json.loads(first)["event"] == "started", (folder / "edge.log").read_text()
    drain = threading.Thread(target=process.stdout.read, daemon=True)
    drain.start()
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
        drain.join()
        process.stdout.close()
        if process.stdin is not None:
            process.stdin.close()
