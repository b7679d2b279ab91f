"""Measure how long the demo takes, when its film starts, and how late an alert is."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.measure import measure
from cli.demo.result import latency
from cli.setup.toolchain import ROOT

FRAGMENT_SECONDS = 1.0  # an alert cannot come before its fragment is whole
LIMITS = {
    "demo seconds": 75,
    "seconds before the film": 15,
    "seconds to the first alert": 6,
    "alert seconds beyond the fragment": 1.5,
}


def once() -> Mapping[str, float]:
    """Run the demo once."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(ROOT / "whosthere"), "demo", "--json", "--output", str(Path(folder, "out"))]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the demo failed:\n{done.stderr}")
    report = json.loads(done.stdout)
    late = [latency(alert) for alert in report["alerts"]]  # in order of capture
    return {
        "demo seconds": report["run_seconds"],
        "seconds before the film": report["setup_seconds"],
        "seconds to the first alert": late[0],
        "alert seconds beyond the fragment": statistics.median(late) - FRAGMENT_SECONDS,
    }


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
