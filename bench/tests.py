"""Measure how long the default tests take."""

import subprocess
import sys
import time
from collections.abc import Mapping

from bench.measure import measure
from cli.setup.toolchain import ROOT

LIMITS = {"seconds": 300}


def once() -> Mapping[str, float]:
    """Run all default tests once."""
    begun = time.monotonic()
    done = subprocess.run([str(ROOT / "whosthere"), "test", "-q"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the tests failed:\n{done.stdout[-4000:]}")
    return {"seconds": time.monotonic() - begun}


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
