"""How much memory the laptop AWS itself takes at most while something happens."""

from contextlib import contextmanager
from pathlib import Path

KILOBYTE = 1024
RESET_PEAK = "5"  # of /proc/PID/clear_refs


@contextmanager
def growth(laptop):
    """Gives a function: by how many bytes its resident memory has been above what it was."""
    process = Path("/proc", str(laptop.facts["pid"]))
    (process / "clear_refs").write_text(RESET_PEAK)
    before = _kilobytes(process, "VmRSS")
    yield lambda: (_kilobytes(process, "VmHWM") - before) * KILOBYTE


def _kilobytes(process, name):
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
