"""Repeats a film's first frame until somebody releases it."""

import sys
import threading
from collections.abc import Callable, Iterator

from .samples import DecodedFrame


def hold_first_frame(
    frames: Iterator[DecodedFrame],
    frame_rate: float,
    is_released: Callable[[], bool],
    on_release: Callable[[float], None],
) -> Iterator[DecodedFrame]:
    """Repeat the first frame at the film's rate until released, then return the film.

    `on_release` is called with the second, counted from the first repetition, at which the film
    starts.
    """
    first = next(frames, None)
    if first is None:
        return
    repeated = 0
    while not is_released():
        yield DecodedFrame(first.image, repeated / frame_rate)
        repeated += 1
    begins = repeated / frame_rate
    on_release(begins)
    yield DecodedFrame(first.image, begins)
    for frame in frames:
        yield DecodedFrame(frame.image, begins + frame.seconds)


def watch_for_enter() -> threading.Event:
    """Return an event that is set when standard input has a line or ends."""
    pressed = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        pressed.set()

    threading.Thread(target=wait, daemon=True).start()
    return pressed
