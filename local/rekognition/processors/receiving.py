"""Live media as a stream of fragments, whatever the connection does (reader side)."""

import http.client
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.rekognition.processors.fragments import Cutter, Fragment, MediaError
from local.rekognition.processors.media import DeniedError, MissingError, Source, live
from local.security.signing import Credentials

MOST_FRAGMENTS = 8  # waiting to be decoded; more wait in the connection
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
# After a longer break the film goes on with what is live: nobody wants old news in a row.
RESUME_SECONDS = 90.0

log = logging.getLogger("local.rekognition.processors.reader")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A fragment, and when it was whole by the clock that only goes forward."""

    fragment: Fragment
    at: float


class Receiver:
    """Reads GetMedia again and again: silence and broken connections are no failure."""

    def __init__(self, source: Source, connect: Callable[[], Credentials]) -> None:
        self._source = source
        self._connect = connect
        self._accepted: Callable[[], None] = lambda: None
        self._arrived: queue.Queue[Arrived | str] = queue.Queue(MOST_FRAGMENTS)
        self._last: str | None = None
        self._heard = 0.0

    def start(self, accepted: Callable[[], None]) -> None:
        """Read in the background; `accepted` hears of each GetMedia that is granted."""
        self._accepted = accepted
        threading.Thread(target=self._receive, daemon=True).start()

    def next(self) -> Arrived | str:
        """The next fragment; a word for the reason when there can be none."""
        return self._arrived.get()

    def _receive(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for fragment in self._fragments():
                    pause = FIRST_PAUSE_SECONDS
                    self._arrived.put(Arrived(fragment, time.monotonic()))
                    self._last = fragment.number
            except DeniedError:
                return self._arrived.put("denied")
            except MissingError:
                return self._arrived.put("missing")
            except MediaError as error:
                log.info("the media can't be followed (%s)", error)
                self._last = None  # what can't be read from there can't be read again
            except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
                log.info("reading the media stopped (%s)", type(error).__name__)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _fragments(self) -> Iterator[Fragment]:
        keys = self._connect()
        cutter = Cutter()
        for piece in live(self._source, keys, after=self._resume_after()):
            self._heard = time.monotonic()
            if not piece:
                self._accepted()
            yield from cutter.feed(piece)

    def _resume_after(self) -> str | None:
        """The fragment to go on behind, so that a broken connection loses none."""
        return self._last if time.monotonic() - self._heard < RESUME_SECONDS else None
