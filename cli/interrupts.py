"""Ctrl-C: at once while something is being prepared, asked for politely while a session runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts Ctrl-C (and being told to end) and decides when it becomes an exception."""

    def __init__(self) -> None:
        self.asked = False
        self._deferred = False
        self._ignored = False

    def install(self) -> None:
        """Take over the signals, also where the shell started us with them ignored."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """The first Ctrl-C in here is only noted in `asked`; the second one interrupts."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def ignore(self) -> None:
        """From here on only short, bounded cleaning up is left: let it be done."""
        self._ignored = True

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.asked
        self.asked = True
        if self._ignored or (self._deferred and first):
            return
        raise KeyboardInterrupt
