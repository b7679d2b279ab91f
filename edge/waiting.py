"""Waits for a call that may take long, but no longer than until somebody says stop."""

import threading
from collections.abc import Callable

POLL_S = 0.1


def wait_for(call: Callable[[], object], stop: threading.Event) -> bool:
    """Raise what the call raises; say whether it has ended, False if told to stop before."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as exc:
            # Whatever it is, it is raised anew where it is waited for.
            raised.append(exc)

    thread = threading.Thread(target=run, name="waiting", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(POLL_S)
    if raised:
        raise raised[0]
    return not thread.is_alive()
