"""What several threads share: a lock, and waiting for a change behind it."""

import threading
from collections.abc import Callable


class Shared:
    """Something that threads change and wait for.

    `lock` guards all of it; `version` grows with each change, so that a waiter can tell
    whether it missed one.
    """

    def __init__(self) -> None:
        # Whoever holds it may call what takes it again.
        self._mutex = threading.RLock()
        self.lock = threading.Condition(self._mutex)
        self.version = 0

    def wake(self) -> None:
        """Wake whoever waits for a change."""
        with self.lock:
            self.version += 1
            self.lock.notify_all()

    def wait_beyond(self, version: int, timeout_s: float) -> None:
        """Wait until something has changed since `version`."""
        with self.lock:
            self.lock.wait_for(lambda: self.version != version, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds, and say whether it does."""
        with self.lock:
            return self.lock.wait_for(condition, timeout_s)
