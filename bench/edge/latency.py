"""The latency until a fragment is stored, and the edge's memory, also after a network cut.

The real edge sends the test pattern at its default size and rate to the laptop AWS on
loopback, from an environment with the same packages as on a Pi. A fragment's first frame waits
longest: it is captured when the fragment begins.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.measure import measure
from cli.setup.laptop_stack import drop_aws_settings
from cli.setup.toolchain import ROOT
from local.laptop import LaptopAWS
from tests.support.edge.proxy import Ack, Proxy

FRAGMENTS, CUT_SECONDS, FRAGMENT_MS, STEP_MS = 40, 15, 1000, 100
STREAM = "bench-front-door"
LIMITS = {
    "seconds beyond the fragment, p95": 0.15,
    "seconds from capture to stored, p95 of all frames": FRAGMENT_MS / 1000 + 0.15,
    "megabytes": 120.0,
    "megabytes after a cut": 120.0,
}


def once() -> Mapping[str, float]:
    """Run the edge once, with a cut of the network, and return the figures."""
    drop_aws_settings()
    with tempfile.TemporaryDirectory() as folder, LaptopAWS(Path(folder, "laptop")) as laptop:
        control = laptop.client("kinesisvideo")
        control.create_stream(StreamName=STREAM, DataRetentionInHours=1)
        media = control.get_data_endpoint(StreamName=STREAM, APIName="PUT_MEDIA")["DataEndpoint"]
        proxy = Proxy(laptop.endpoint, media)
        stored: dict[int, float] = {}

        def note(ack: Ack) -> Ack:
            if ack["EventType"] == "PERSISTED":
                stored[ack["FragmentTimecode"]] = time.time() * 1000
            return ack

        proxy.on_ack = note
        python = environment(Path(folder, "python"))
        with running(python, laptop, proxy, Path(folder)) as edge:
            wait_for(stored, FRAGMENTS)
            calm, megabytes = dict(stored), resident(edge)
            proxy.cut()
            time.sleep(CUT_SECONDS)
            proxy.mend()
            wait_for(stored, FRAGMENTS + CUT_SECONDS + 5)
            return figures(calm, megabytes) | {"megabytes after a cut": resident(edge)}


def environment(folder: Path) -> Path:
    """Create an environment with the edge's requirements only; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    project = tomllib.loads((ROOT / "edge" / "pyproject.toml").read_text())["project"]
    command = [str(python), "-m", "pip", "install", "--quiet", *project["dependencies"]]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return python


def figures(stored: Mapping[int, float], megabytes: float) -> dict[str, float]:
    """Return the latencies of acks without a cut, leaving out the first seconds."""
    first = [at - timecode for timecode, at in list(stored.items())[3:]]
    frames = [late - STEP_MS * n for late in first for n in range(FRAGMENT_MS // STEP_MS)]
    return {
        "seconds beyond the fragment, p95": p95(first) - FRAGMENT_MS / 1000,
        "seconds from capture to stored, p95 of all frames": p95(frames),
        "megabytes": megabytes,
    }


def p95(milliseconds: list[float]) -> float:
    """Return the 95th percentile, in seconds."""
    return statistics.quantiles(milliseconds, n=20)[-1] / 1000


def wait_for(stored: Mapping[int, float], fragments: int) -> None:
    """Wait until so many fragments are stored."""
    deadline = time.monotonic() + 3 * fragments + 30
    while len(stored) < fragments:
        if time.monotonic() > deadline:
            sys.exit(f"only {len(stored)} of {fragments} fragments were stored")
        time.sleep(0.1)


def resident(process: "subprocess.Popen[bytes]") -> float:
    """Return the process's peak resident memory, in megabytes (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def running(
    python: Path, laptop: LaptopAWS, proxy: Proxy, folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the edge so that it sends through the proxy."""
    command = [str(python), "-m", "tests.support.edge.via_proxy"]
    command += [json.dumps(list(proxy.detours.items())), "--camera", "front-door"]
    command += ["--source", "test", "--stream", STREAM, "--tag", "motion"]
    variables = {**laptop.environment(), "PYTHONPATH": str(ROOT)}
    with (folder / "edge.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--buffer-folder", str(folder / "buffer")],
            cwd=ROOT,
            env=variables,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS) else 1)
