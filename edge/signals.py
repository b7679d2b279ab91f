"""Stop signals: the first ends the run in order, the second at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

# The exit code that shells give to a command that Ctrl-C has ended.
INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` at a stop signal; call it in the main thread.

    A handler runs between two instructions of the main thread, which may hold the lock of `stop`:
    a handler that sets it would wait for ever. So the interpreter only writes the signal's number
    into a pipe, and a thread that reads it does the rest.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    thread = threading.Thread(target=_watch, args=(reading, stop), name="signals", daemon=True)
    thread.start()
    signal.set_wakeup_fd(writing)  # before the handlers: no signal may be lost between
    before = {number: signal.signal(number, _do_nothing) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(writing)
        thread.join()
        os.close(reading)


def _do_nothing(_number: int, _frame: object) -> None:
    """Keep the signal from ending the program; the interpreter has written its number."""


def _watch(reading: int, stop: threading.Event) -> None:
    while numbers := os.read(reading, 64):
        for number in numbers:
            if number in STOP_SIGNALS:
                if stop.is_set():
                    os._exit(INTERRUPTED)
                stop.set()
