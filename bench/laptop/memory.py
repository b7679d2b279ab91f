"""Measure how much memory the laptop AWS takes with the stack deployed and nothing invoked."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.measure import measure
from cli.progress import Progress
from cli.setup.laptop_stack import Sam, bring_up, drop_aws_settings
from local.laptop import LaptopAWS

SETTLE_SECONDS = 5
DOWNLOADS = drop_aws_settings()
LIMITS = {"megabytes": 600}


def once() -> Mapping[str, float]:
    """Start the laptop AWS once and deploy the stack."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        sam = Sam("stream-processor", logs, DOWNLOADS, verbose=False)
        laptop = LaptopAWS(logs / "laptop")
        try:
            bring_up(laptop, sam, Progress(to_stderr=True))
            return {"megabytes": megabytes(laptop)}
        finally:
            laptop.stop()


def megabytes(laptop: LaptopAWS) -> float:
    """Return the resident memory of all its processes; shared pages count more than once."""
    time.sleep(SETTLE_SECONDS)  # until whatever starts by itself has started
    pids = ",".join(str(process.pid) for process in laptop.processes())
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-p", pids], capture_output=True, text=True, check=True
    )
    return sum(int(line) for line in listed.stdout.split()) / 1024


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
