"""Receive live fragments through broken connections (reader process)."""

import http.client
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.rekognition.processors.fragments import FragmentSplitter, GetMediaError, ReceivedFragment
from local.rekognition.processors.media import DeniedError, MediaSource, MissingError, read_live
from local.security.signing import Credentials

MAX_FRAGMENTS = 8  # waiting to be decoded; more wait in the connection
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
# After a longer break only live media is read.
RESUME_SECONDS = 90.0

log = logging.getLogger("local.rekognition.processors.reader")


@dataclass(frozen=True, slots=True)
class TimedFragment:
    """A fragment and the monotonic time of its completion."""

    fragment: ReceivedFragment
    at: float


class MediaReceiver:
    """Reads GetMedia repeatedly: silence and broken connections are not failures."""

    def __init__(self, source: MediaSource, connect: Callable[[], Credentials]) -> None:
        """Prepare to read a source; `connect` returns keys for each connection."""
        self._source = source
        self._connect = connect
        self._on_connected: Callable[[], None] = lambda: None
        self._arrived: queue.Queue[TimedFragment | str] = queue.Queue(MAX_FRAGMENTS)
        self._last: str | None = None
        self._heard = 0.0

    def start(self, on_connected: Callable[[], None]) -> None:
        """Start to read in the background; call `on_connected` for each accepted GetMedia."""
        self._on_connected = on_connected
        threading.Thread(target=self._receive, daemon=True).start()

    def next(self) -> TimedFragment | str:
        """Return the next fragment, or the reason why there is none."""
        return self._arrived.get()

    def _receive(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for fragment in self._fragments():
                    pause = FIRST_PAUSE_SECONDS
                    self._arrived.put(TimedFragment(fragment, time.monotonic()))
                    self._last = fragment.number
                pause = FIRST_PAUSE_SECONDS  # GetMedia ends whenever the producer pauses
            except DeniedError:
                return self._arrived.put("denied")
            except MissingError:
                return self._arrived.put("missing")
            except GetMediaError as error:
                log.info("the media cannot be read on (%s)", error)
                self._last = None  # reading from there would fail again
            except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
                log.info("reading the media stopped (%s)", type(error).__name__)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _fragments(self) -> Iterator[ReceivedFragment]:
        keys = self._connect()
        splitter = FragmentSplitter()
        for piece in read_live(self._source, keys, after=self._resume_after()):
            self._heard = time.monotonic()
            if not piece:
                self._on_connected()
            yield from splitter.feed(piece)

    def _resume_after(self) -> str | None:
        """Return the fragment to resume after, so that a broken connection loses none."""
        return self._last if time.monotonic() - self._heard < RESUME_SECONDS else None
