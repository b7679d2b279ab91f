"""Print progress: one live line on a terminal, plain lines in a pipe."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

TICK_SECONDS = 0.2
FRAMES = "|/-\\"


class Progress:
    """Prints to standard output, or to standard error if that is kept for JSON."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        """Choose the stream, and whether it is a terminal."""
        self._stream: TextIO = sys.stderr if to_stderr else sys.stdout
        self._live = self._stream.isatty()
        self._text = ""
        self._since = 0.0
        # Guards the terminal's last line, which the ticker thread writes too.
        self._lock = threading.Lock()

    def print(self, text: str = "") -> None:
        """Print a line that stays."""
        with self._lock:
            self._clear()
            print(text, file=self._stream, flush=True)
            self._draw()

    def status(self, text: str) -> None:
        """Change the text of the live line; prints nothing in a pipe."""
        with self._lock:
            self._clear()
            self._text = text
            self._draw()

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that a step is in progress, then how long it took."""
        begun = time.monotonic()
        if not self._live:
            self.print(f"  ... {text}")
        with self.live(text):
            yield
        self.print(f"  ok  {text}  ({time.monotonic() - begun:.1f} s)")

    @contextmanager
    def live(self, text: str) -> Iterator[None]:
        """Show a live line with the elapsed seconds, on a terminal."""
        over = threading.Event()
        self._since = time.monotonic()
        self.status(text)
        ticker = threading.Thread(target=self._tick, args=(over,), daemon=True)
        if self._live:
            ticker.start()
        try:
            yield
        finally:
            over.set()
            if self._live:
                ticker.join()
            self.status("")

    def _tick(self, over: threading.Event) -> None:
        while not over.wait(TICK_SECONDS):
            with self._lock:
                self._clear()
                self._draw()

    def _clear(self) -> None:
        if self._live and self._text:
            self._stream.write("\r\x1b[K")

    def _draw(self) -> None:
        if not (self._live and self._text):
            return
        seconds = time.monotonic() - self._since
        frame = FRAMES[int(seconds / TICK_SECONDS) % len(FRAMES)]
        self._stream.write(f"  {frame}   {self._text}  {seconds:.0f} s")
        self._stream.flush()
