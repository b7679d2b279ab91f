"""The worker process of one running stream processor: live media in, frames to analyse out.

    python -m local.rekognition.reader

Three threads: one reads the network and cuts fragments, the main one decodes them and hands
frames on as fast as they are taken, the third takes what the emulator says and ends the
process when the emulator has gone.
"""

import http.client
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import av

from local.rekognition import wire
from local.rekognition.fragments import Cutter, Fragment, MediaError
from local.rekognition.media import DeniedError, MissingError, Source, live
from local.rekognition.video import CodecError, Sampler, opened, rgb
from local.signing import Credentials

# A frame that is not taken this long after its fragment's successor is due, is skipped.
LATE_SECONDS = 0.5
MOST_FRAGMENTS = 8  # waiting to be decoded; more wait in the connection
LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger("local.rekognition.reader")

Arrived = tuple[Fragment, float]


class Reader:
    """Reads one stream until told otherwise, whatever the producer does."""

    def __init__(
        self, spec: dict[str, Any], say: Callable[..., None], keys: "queue.Queue[Credentials]"
    ) -> None:
        self._source = Source(spec["endpoint"], spec["region"], spec["stream_arn"])
        self._sampler = Sampler(spec["per_second"])
        self._say = say
        self._keys = keys
        self._arrived: queue.Queue[Arrived | str] = queue.Queue(MOST_FRAGMENTS)
        self._skipped = 0

    def run(self) -> None:
        """Hand on frames; returns after saying why no more can come."""
        threading.Thread(target=self._receive, daemon=True).start()
        while not isinstance(arrived := self._arrived.get(), str):
            fragment, at = arrived
            try:
                self._hand_on(fragment, at)
            except CodecError:
                self._say({"event": "failed", "why": "codec"})
                return
            except (av.FFmpegError, ValueError):
                log.warning("fragment %s can't be decoded", fragment.number)
        self._say({"event": "failed", "why": arrived})

    def _receive(self) -> None:
        """Read GetMedia, again and again: silence and broken connections are no failure."""
        pause = 0.1
        while True:
            try:
                for fragment in self._fragments():
                    pause = 0.1
                    self._arrived.put((fragment, time.monotonic()))
            except DeniedError:
                return self._arrived.put("denied")
            except MissingError:
                return self._arrived.put("missing")
            except (OSError, http.client.HTTPException, MediaError, KeyError) as error:
                log.info("reading the media stopped (%s)", type(error).__name__)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _fragments(self) -> Iterator[Fragment]:
        self._say({"event": "connect"})
        cutter = Cutter()
        for piece in live(self._source, self._keys.get()):
            if not piece:
                self._say({"event": "reading"})
            yield from cutter.feed(piece)

    def _hand_on(self, fragment: Fragment, arrived: float) -> None:
        with opened(fragment.film) as (length, frames):
            for offset, frame in frames:
                if not self._sampler.takes(fragment.producer + offset):
                    continue
                if time.monotonic() > arrived + length + LATE_SECONDS:
                    self._skipped += 1
                    continue
                self._say(*self._frame(fragment, offset, frame))

    def _frame(self, fragment: Fragment, offset: float, frame: Any) -> tuple[wire.Head, bytes]:
        size, pixels = rgb(frame)
        head = {
            "event": "frame",
            "fragment": fragment.number,
            "server": fragment.server,
            "producer": fragment.producer,
            "offset": offset,
            "size": size,
            "skipped": self._skipped,
        }
        return head, pixels


def main() -> None:
    """Read what the first message names."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(head: wire.Head, body: bytes = b"") -> None:
        with lock:
            try:
                wire.send(output, head, body)
            except BrokenPipeError:
                os._exit(0)  # nobody is left to hear of it

    first = wire.receive(sys.stdin.buffer)
    if first is None:
        return
    keys: queue.Queue[Credentials] = queue.Queue()
    threading.Thread(target=_listen, args=(keys,), daemon=True).start()
    Reader(first[0], say, keys).run()


def _listen(keys: "queue.Queue[Credentials]") -> None:
    while (message := wire.receive(sys.stdin.buffer)) is not None:
        keys.put(Credentials(**message[0]))
    os._exit(0)


if __name__ == "__main__":
    main()
