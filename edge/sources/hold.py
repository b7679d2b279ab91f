"""A film that stands still on its first frame until it is let go."""

import sys
import threading
from collections.abc import Callable, Iterator

from .samples import Picture


def held(
    frames: Iterator[Picture],
    frame_rate: float,
    is_released: Callable[[], bool],
    on_release: Callable[[float], None],
) -> Iterator[Picture]:
    """Repeat the first frame at the film's rate until released, then give the film.

    `on_release` is told at which second, counted from the first repetition, the film
    itself begins.
    """
    first = next(frames, None)
    if first is None:
        return
    repeated = 0
    while not is_released():
        yield Picture(first.image, repeated / frame_rate)
        repeated += 1
    begins = repeated / frame_rate
    on_release(begins)
    yield Picture(first.image, begins)
    for frame in frames:
        yield Picture(frame.image, begins + frame.seconds)


def enter_pressed() -> threading.Event:
    """An event that is set once a line, or the end, arrives on standard input."""
    pressed = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        pressed.set()

    threading.Thread(target=wait, daemon=True).start()
    return pressed
