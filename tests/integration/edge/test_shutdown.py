"""How the edge ends, against the laptop AWS: stopped in every state, and killed."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.edge.faults import assert_runs_whole, on_disk
from tests.support.edge.run import SMALL, Stored

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 120
# Later than that systemd kills it (TimeoutStopSec).
STOPS_WITHIN_S = 30


class Child:
    """A running edge, its buffer folders, and the proxy between it and AWS.

    `copies` is the folder in memory that systemd gives to a service.
    """

    def __init__(self, laptop, proxy, stream, folder, copies):
        self.folder, self.copies, self.proxy = folder, copies, proxy
        self._stream = stream
        self._environment = laptop.environment() | {"RUNTIME_DIRECTORY": str(copies)}

    @contextmanager
    def running(self):
        command = [sys.executable, "-m", "tests.support.edge.via_proxy"]
        command += [json.dumps(list(self.proxy.detours.items()))]
        command += ["--camera", "front-door", "--stream", self._stream, "--json", *SMALL]
        process = subprocess.Popen(
            [*command, "--buffer-folder", str(self.folder)],
            cwd=ROOT,
            env=self._environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def on_disk(self):
        return on_disk(self.folder)

    def copied(self):
        return on_disk(self.copies)

    def persisted(self):
        return [a["FragmentTimecode"] for a in self.proxy.acks if a["EventType"] == "PERSISTED"]


@pytest.fixture
def child(laptop, proxy, stream, tmp_path):
    (tmp_path / "run").mkdir()
    return Child(laptop, proxy, stream, tmp_path / "buffer", tmp_path / "run")


def told_to_stop(process):
    """Send SIGTERM; return the seconds until the exit, the exit code, events and log."""
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LIMIT_S)
    events = [json.loads(line) for line in out.splitlines()]
    return time.monotonic() - told, process.returncode, events, err


def test_told_to_stop_it_ends_cleanly_whatever_it_is_doing(laptop, child, stream, wait_until):
    # While nobody answers.
    child.proxy.is_stalled.set()
    with child.running() as process:
        wait_until(lambda: child.proxy.links, LIMIT_S)
        took_s, code, events, err = told_to_stop(process)
        assert (code, events, err) == (0, [], "")
        assert took_s < STOPS_WITHIN_S
    child.proxy.cut_connections()
    child.proxy.is_stalled.clear()

    # While all is well: the last fragment is acknowledged.
    with child.running() as process:
        wait_until(child.persisted, LIMIT_S)
        took_s, code, first, err = told_to_stop(process)
        assert (code, err) == (0, "")
        assert first[-1]["persisted"] == first[-1]["fragments"] >= 2
        assert took_s < STOPS_WITHIN_S
    assert child.on_disk() == []

    # While the service is gone: what it has not stored is kept for the next time.
    with child.running() as process:
        wait_until(lambda: len(child.persisted()) >= first[-1]["persisted"] + 1, LIMIT_S)
        child.proxy.cut()
        wait_until(lambda: len(child.on_disk()) >= 2, LIMIT_S)
        took_s, code, second, err = told_to_stop(process)
        assert code == 0
        assert took_s < STOPS_WITHIN_S
    kept = child.on_disk()
    assert len(kept) == second[-1]["fragments"] - second[-1]["persisted"]
    assert f"{len(kept)} fragments are kept on disk for the next start." in err

    # While it makes that good. An ack that the cut kept from the edge may be there already.
    child.proxy.mend()
    before = len(child.persisted())
    with child.running() as process:
        wait_until(lambda: kept[0] in child.persisted()[before:], LIMIT_S)
        took_s, code, third, err = told_to_stop(process)
        assert code == 0
        assert took_s < STOPS_WITHIN_S
    assert f"{len(kept)} fragments that were kept on disk are sent first." in err
    runs = [first, second, third]
    if left := child.on_disk():
        # It was stopped before all of it was sent, as on a machine with much else to do.
        before = len(child.persisted())
        with child.running() as process:
            wait_until(lambda: set(left) <= set(child.persisted()[before:]), LIMIT_S)
            runs.append(told_to_stop(process)[2])
    assert child.on_disk() == []
    stored = Stored(laptop, stream)
    assert_runs_whole(stored, *runs)
    assert stored.repeated <= 1, "only the one that was under way"


def stalled_at(timecode, proxy):
    """Stall the network once that fragment is stored."""

    def on_ack(ack):
        if (ack["EventType"], ack["FragmentTimecode"]) == ("PERSISTED", timecode):
            proxy.on_ack = lambda ack: ack
            proxy.is_stalled.set()
        return ack

    return on_ack


def test_killed_and_started_again_all_that_had_ended_arrives(laptop, child, stream, wait_until):
    # While it makes good a cut: most lies on disk, the newest in memory.
    with child.running() as process:
        wait_until(lambda: len(child.persisted()) >= 2, LIMIT_S)
        child.proxy.cut()
        wait_until(lambda: len(child.on_disk()) >= 4, LIMIT_S)
        before = child.on_disk()
        child.proxy.on_ack = stalled_at(before[1], child.proxy)
        child.proxy.mend()
        wait_until(child.proxy.is_stalled.is_set, LIMIT_S)
        killed(process)
    child.proxy.cut_connections()
    child.proxy.is_stalled.clear()
    # The acks that were on their way when it died are known to nobody here.
    first, acknowledged = child.on_disk() + child.copied(), child.persisted()
    assert child.on_disk()
    assert set(before) <= set(first) | set(acknowledged)
    newest = max(child.folder.glob("*/*/*.fragment"))
    torn = newest.with_name(f"{int(newest.stem) + 1:010d}.fragment")
    torn.write_bytes(newest.read_bytes()[:-1])  # by a power cut

    # While all is well, as far as it knows: nothing is on disk.
    with child.running() as process:
        wait_until(lambda: set(first) <= set(child.persisted()), LIMIT_S)
        wait_until(lambda: max(child.persisted()) > max(first), LIMIT_S)
        wait_until(lambda: child.on_disk() == [], LIMIT_S)
        child.proxy.is_stalled.set()
        wait_until(lambda: len(child.copied()) >= 2, LIMIT_S)
        killed(process)
    child.proxy.cut_connections()
    child.proxy.is_stalled.clear()
    second = child.on_disk() + child.copied()
    with child.running() as process:
        wait_until(lambda: set(second) <= set(child.persisted()), LIMIT_S)
        wait_until(lambda: max(child.persisted()) > max(second), LIMIT_S)
        assert told_to_stop(process)[1] == 0
    stored = Stored(laptop, stream)
    assert set(before) | set(second) <= set(stored.timecodes)
    # Twice only what was under way, or its ack, when it was killed.
    assert stored.repeated <= 4
    assert all(len(numbers) == 10 for numbers in stored.numbers[:-1])
    by_run = [], []
    for timecode, numbers in zip(stored.timecodes, stored.numbers, strict=True):
        if timecode <= max(second):
            by_run[timecode > max(first)].extend(numbers)
    for run in by_run:
        assert sorted(set(run)) == list(range(max(run) + 1)), "no frame is missing"
    assert child.on_disk() == child.copied() == []


def killed(process):
    """Kill the edge with SIGKILL, as the kernel does when memory runs out."""
    process.kill()
    process.wait()
