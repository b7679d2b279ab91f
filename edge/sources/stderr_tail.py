"""Keeps the last errors of a program's standard error."""

KEPT_LINES, LONGEST_LINE = 3, 300
# The log levels of libcamera, and the prefix of a fatal error of rpicam-apps.
ERROR_MARKS = ("ERROR", "FATAL", "***")


class StderrTail:
    """Collects the error lines that a program writes, for the message when it fails."""

    def __init__(self) -> None:
        """Start without any line."""
        self._lines: list[str] = []
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Add data that was read."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[-LONGEST_LINE:]
        for line in lines:
            self._keep(line.decode(errors="replace").strip())

    def summary(self) -> str:
        """Return a sentence with the last errors; an empty text if there are none."""
        if self._partial:
            self._keep(self._partial.decode(errors="replace").strip())
            self._partial = b""
        return " It said: " + " / ".join(self._lines) if self._lines else ""

    def _keep(self, line: str) -> None:
        if any(mark in line for mark in ERROR_MARKS):
            self._lines = [*self._lines, line[:LONGEST_LINE]][-KEPT_LINES:]
