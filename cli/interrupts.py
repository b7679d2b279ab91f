"""Handle Ctrl-C: at once while something is prepared, in an orderly way while a session runs."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# After an interrupt only clean-up is left, which is bounded: a second one must not cut it off.
CLEAN_UP_SECONDS = 10


class Interrupts:
    """Counts Ctrl-C and requests to terminate, and decides when one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        """Start without an interrupt."""
        self.asked = False
        self._deferred = False
        self._ignored = False
        self._raised = float("-inf")

    def install(self) -> None:
        """Handle the signals, even where the shell started this process ignoring them.

        `setup.bootstrap` holds them back until now: what came meanwhile interrupts here.
        """
        for number in SIGNALS:
            signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only set `asked` at the first Ctrl-C in this block; the second one interrupts."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def ignore(self) -> None:
        """Ignore Ctrl-C from now on: only short, bounded clean-up is left."""
        self._ignored = True

    def listen(self) -> None:
        """Handle Ctrl-C again after `ignore`: more than clean-up follows."""
        self._ignored = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            discard_output()
        first = not self.asked
        self.asked = True
        cleans_up = time.monotonic() < self._raised + CLEAN_UP_SECONDS
        if self._ignored or cleans_up or (self._deferred and first):
            return
        self._raised = time.monotonic()
        raise KeyboardInterrupt


def discard_output() -> None:
    """Let what is printed go nowhere: the terminal is closed, and writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
