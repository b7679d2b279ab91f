"""The reader process of one running stream processor: live media in, frames to analyze out.

    python -m local.rekognition.processors.reader

Three threads: one reads the network and splits fragments, the main one decodes them and
sends frames as fast as they are read, the third receives the emulator's messages and ends
the process when the emulator ends.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import av

from local.rekognition.processors.fragments import ReceivedFragment
from local.rekognition.processors.media import MediaSource
from local.rekognition.processors.playback_clock import PlaybackClock
from local.rekognition.processors.receiving import MediaReceiver, TimedFragment
from local.rekognition.processors.video import (
    CodecError,
    FrameSampler,
    OpenFragment,
    open_fragment,
    rgb,
)
from local.rekognition.worker import wire
from local.security.signing import Credentials

log = logging.getLogger("local.rekognition.processors.reader")


class StreamReader:
    """Reads one stream until the process ends, through pauses and new connections."""

    def __init__(
        self,
        spec: dict[str, Any],
        send_message: Callable[..., None],
        keys: "queue.Queue[Credentials]",
    ) -> None:
        """Prepare to read the stream that `spec` names."""
        self._send_message = send_message
        self._keys = keys
        source = MediaSource(spec["endpoint"], spec["region"], spec["stream_arn"])
        self._receiver = MediaReceiver(source, self._connect)
        self._sampler = FrameSampler(spec["per_second"])
        self._playback = PlaybackClock()

    def run(self) -> None:
        """Send frames until no more can follow, and then the reason."""
        self._receiver.start(lambda: self._send_message({"event": "reading"}))
        while not isinstance(arrived := self._receiver.next(), str):
            try:
                self._send_due_frames(arrived)
            except CodecError:
                self._send_message({"event": "failed", "why": "codec"})
                return
            except (av.FFmpegError, ValueError):
                log.warning("fragment %s can't be decoded", arrived.fragment.number)
        self._send_message({"event": "failed", "why": arrived})

    def _connect(self) -> Credentials:
        self._send_message({"event": "connect"})
        return self._keys.get()

    def _send_due_frames(self, arrived: TimedFragment) -> None:
        """Decode the due frames of a fragment and send those that are not late."""
        fragment = arrived.fragment
        with open_fragment(fragment.film, fragment.timecode) as film:
            due = [one for one in film.offsets if self._sampler.is_due(fragment.producer + one)]
            self._playback.begin(arrived.at, film.seconds)
            sent = self._send_frames(fragment, film, due) if due else 0
        if sent < len(due):
            self._send_message({"event": "skipped", "frames": len(due) - sent})

    def _send_frames(self, fragment: ReceivedFragment, film: OpenFragment, due: list[float]) -> int:
        """Send the frames that are due and not late; return their number."""
        wanted, last, sent = set(due), due[-1], 0
        if self._playback.is_late(last, time.monotonic()):
            return 0  # they all are: not even decoding is worth while
        for offset, frame in film.frames():
            if offset in wanted and not self._playback.is_late(offset, time.monotonic()):
                self._send_message(*_message(fragment, offset, frame))
                sent += 1
            if offset >= last:
                break
        return sent


def _message(fragment: ReceivedFragment, offset: float, frame: Any) -> tuple[wire.Head, bytes]:
    size, pixels = rgb(frame)
    head = {
        "event": "frame",
        "fragment": fragment.number,
        "server": fragment.server,
        "producer": fragment.producer,
        "offset": offset,
        "size": size,
    }
    return head, pixels


def main() -> None:
    """Read the stream that the first message names."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = threading.Lock()

    def send_message(head: wire.Head, body: bytes = b"") -> None:
        with lock:
            try:
                wire.send(output, head, body)
            except BrokenPipeError:
                os._exit(0)  # the emulator has ended

    first = wire.receive(sys.stdin.buffer)
    if first is None:
        return
    keys: queue.Queue[Credentials] = queue.Queue()
    threading.Thread(target=_listen, args=(keys,), daemon=True).start()
    StreamReader(first[0], send_message, keys).run()


def _listen(keys: "queue.Queue[Credentials]") -> None:
    while (message := wire.receive(sys.stdin.buffer)) is not None:
        keys.put(Credentials(**message[0]))
    os._exit(0)


if __name__ == "__main__":
    main()
