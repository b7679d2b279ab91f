"""Keeps the last things a program complained of, out of all that it says."""

KEPT_LINES, LONGEST_LINE = 3, 300
# libcamera's own levels, and how rpicam-apps tells what ended it.
SIGNS = ("ERROR", "FATAL", "***")


class Complaints:
    """Reads a program's standard error, for when it fails."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._begun = b""

    def take(self, data: bytes) -> None:
        """Take in what was read."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._begun = self._begun[-LONGEST_LINE:]
        for line in lines:
            self._keep(line.decode(errors="replace").strip())

    def in_words(self) -> str:
        """Give what there is to add to a sentence about the failure; perhaps nothing."""
        if self._begun:
            self._keep(self._begun.decode(errors="replace").strip())
            self._begun = b""
        return " It said: " + " / ".join(self._lines) if self._lines else ""

    def _keep(self, line: str) -> None:
        if any(sign in line for sign in SIGNS):
            self._lines = [*self._lines, line[:LONGEST_LINE]][-KEPT_LINES:]
