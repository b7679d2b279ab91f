"""Handle Ctrl-C: at once while something is prepared, in an orderly way while a session runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts Ctrl-C and requests to terminate, and decides when one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        """Start without an interrupt."""
        self.asked = False
        self._deferred = False
        self._ignored = False

    def install(self) -> None:
        """Handle the signals, even where the shell started this process ignoring them."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

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

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        first = not self.asked
        self.asked = True
        if self._ignored or (self._deferred and first):
            return
        raise KeyboardInterrupt
