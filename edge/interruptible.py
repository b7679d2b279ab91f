"""A blocking call that a stop event can interrupt."""

import threading
from collections.abc import Callable

POLL_S = 0.1


def call_until_stopped(call: Callable[[], object], stop: threading.Event) -> bool:
    """Call in a thread and wait; return whether the call ended before `stop` was set.

    Raises what the call raises.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as exc:
            # Any error is raised again in the thread that waits.
            raised.append(exc)

    thread = threading.Thread(target=run, name="waiting", daemon=True)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(POLL_S)
    if raised:
        raise raised[0]
    return not thread.is_alive()
