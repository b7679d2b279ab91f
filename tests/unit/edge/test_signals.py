"""Stop signals, at whatever instruction of the main thread they arrive."""

import os
import signal
import threading
import time

from edge.signals import INTERRUPTED, stop_on_signals

RUNS = 300


def test_a_signal_inside_the_wait_for_it_never_hangs_the_run():
    for _ in range(RUNS):
        child = os.fork()
        if child == 0:
            stop = threading.Event()
            with stop_on_signals(stop):
                while not stop.is_set():
                    stop.wait(0.0002)
            os._exit(0)
        time.sleep(0.004)
        os.kill(child, signal.SIGTERM)
        assert ended(child) in (0, -signal.SIGTERM)


def test_the_second_signal_ends_at_once():
    child = os.fork()
    if child == 0:
        stop = threading.Event()
        with stop_on_signals(stop):
            while True:
                time.sleep(0.01)
    time.sleep(0.3)
    os.kill(child, signal.SIGINT)
    time.sleep(0.2)
    assert os.waitpid(child, os.WNOHANG) == (0, 0), "the first does not end it"
    os.kill(child, signal.SIGINT)
    assert ended(child) == INTERRUPTED


def test_afterwards_signals_do_what_they_did_before():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(threading.Event()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


def ended(child, seconds=10):
    """Return the exit code of a child; kill one that hangs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, state = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(state)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("it hangs")
