"""Print progress: one live line on a terminal, plain lines in a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.progress import SpinnerColumn, TextColumn


class Progress:
    """Prints to standard output, or to standard error if that is kept for JSON."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        """Choose the stream, and whether it is a terminal."""
        stream = sys.stderr if to_stderr else sys.stdout
        self._console = Console(
            file=stream,
            highlight=False,
            # A pipe gets no control codes, whatever FORCE_COLOR or TTY_INTERACTIVE say.
            force_terminal=stream.isatty(),
            force_interactive=None if stream.isatty() else False,
        )
        self._lines = rich.progress.Progress(
            TextColumn(" "),
            SpinnerColumn("line"),
            TextColumn("  {task.description} ", markup=False),
            TextColumn("{task.elapsed:.0f} s"),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._console.is_interactive,
        )

    def print(self, text: str = "") -> None:
        """Print a line that stays."""
        self._console.out(text)

    def status(self, text: str) -> None:
        """Change the text of the live line; prints nothing in a pipe."""
        self._lines.update(self._lines.task_ids[-1], description=text)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show that a step is in progress, then how long it took."""
        begun = time.monotonic()
        if self._lines.disable:
            self.print(f"  ... {text}")
        with self.live(text):
            yield
        self.print(f"  ok  {text}  ({time.monotonic() - begun:.1f} s)")

    @contextmanager
    def live(self, text: str) -> Iterator[None]:
        """Show a live line with the elapsed seconds, on a terminal; an inner one hides it."""
        outer = self._lines.task_ids
        for task in outer:
            self._lines.update(task, visible=False)
        task = self._lines.add_task(text)
        self._lines.start()
        try:
            yield
        finally:
            self._lines.remove_task(task)
            if outer:
                self._lines.update(outer[-1], visible=True)
            else:
                self._lines.stop()
