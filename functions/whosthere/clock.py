"""The clock that rows and alerts go by."""

import time


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def wait(milliseconds: int) -> None:
    """Let that much time go by."""
    time.sleep(milliseconds / 1000)
