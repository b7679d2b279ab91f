"""Stop signals, at whatever instruction of the main thread they arrive."""

import signal
import subprocess
import sys
import threading

from edge.signals import INTERRUPTED, stop_on_signals
from local.laptop import ROOT

LIMIT_S = 120
RUNS = 300
# The children are forked by a process without threads: a fork copies the locks of all threads.
WAITING = """
import os, signal, sys, threading, time
from edge.signals import stop_on_signals

def ended(child, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, state = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(state)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return "it hangs"

codes = set()
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        stop = threading.Event()
        with stop_on_signals(stop):
            while not stop.is_set():
                stop.wait(0.0002)
        os._exit(0)
    time.sleep(0.004)
    os.kill(child, signal.SIGTERM)
    codes.add(ended(child))
print(sorted(codes, key=str))
"""
STUBBORN = """
import threading, time
from edge.signals import stop_on_signals

stop = threading.Event()
with stop_on_signals(stop):
    print("ready", flush=True)
    stop.wait()
    print("stopped", flush=True)
    time.sleep(600)
"""


def test_a_signal_inside_the_wait_for_it_never_hangs_the_run():
    command = [sys.executable, "-c", WAITING, str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    # One that comes before the handlers are there ends the process, as it would any.
    assert done.stdout.strip() in ("[0]", f"[{-signal.SIGTERM}, 0]", f"[0, {-signal.SIGTERM}]")


def test_the_second_signal_ends_at_once():
    command = [sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == INTERRUPTED


def test_afterwards_signals_do_what_they_did_before():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(threading.Event()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1
