"""From the source through the encoder to the sender, at the film's own pace."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .config import Config
from .encode import Encoder
from .film import Film, TimedFrame
from .fragments import EncodedFrame, FragmentBuffer
from .hold import enter_pressed, held
from .report import Report
from .sender import Sender
from .video_stream import VideoStream

# What PutMedia asks of a fragment; one that is under way is not cut shorter.
SHORTEST_FRAGMENT_S = 1.0
# A service that has not answered by now does so after the body, if at all.
ACCEPTED_S = 3.0
STATUS_S = 10.0
# How long to wait for the last acks: after the film, and when told to stop.
LAST_ACKS_S = 60.0
LAST_ACKS_STOPPED_S = 10.0


def run(config: Config, report: Report, stop: threading.Event) -> bool:
    """Send the whole film; say whether all of it was stored."""
    with Film(Path(config.source)) as film:
        stream = VideoStream(config.stream)
        retention_hours = stream.retention_hours()
        encoder = Encoder(film.width, film.height, film.frame_rate)
        stream.begin_with(encoder.track)
        buffer = FragmentBuffer()
        sender = Sender(buffer, stream, report.say, final_event=_final_event(retention_hours))
        report.connecting(config, stream.region, encoder.track, retention_hours)
        sender.start()
        try:
            _wait_for_acceptance(buffer, sender, stop)
            if stop.is_set():
                return True
            capture = Capture(config, encoder, buffer, sender, report, stop)
            try:
                capture.run(_frames(film, config, capture, stop))
                _wait_for_last_acks(buffer, sender, stop)
            finally:
                report.ended(buffer.counts, capture.seconds + 1 / film.frame_rate)
            return buffer.counts.persisted == buffer.counts.fragments
        finally:
            sender.stop()


def _frames(
    film: Film, config: Config, capture: "Capture", stop: threading.Event
) -> Iterator[TimedFrame]:
    if not config.is_held:
        return film.frames()
    pressed = enter_pressed()
    return held(
        film.frames(),
        film.frame_rate,
        lambda: pressed.is_set() or stop.is_set(),
        capture.begin_film,
    )


@dataclass(slots=True)
class Capture:
    """Takes each frame at its time, encodes it and cuts the fragments."""

    config: Config
    encoder: Encoder
    buffer: FragmentBuffer
    sender: Sender
    report: Report
    stop: threading.Event
    started_ms: int = 0
    started_clock: float = 0.0
    seconds: float = 0.0
    fragment_seconds: float = float("-inf")
    last_ms: int = 0
    next_status: float = field(default=STATUS_S)

    def run(self, frames: Iterator[TimedFrame]) -> None:
        """Play the film into the buffer until it ends or somebody says stop."""
        self.started_ms, self.started_clock = round(time.time() * 1000), time.monotonic()
        following = next(frames, None)
        self.report.started(self.started_ms)
        while following is not None:
            frame, following = following, next(frames, None)
            self._wait_for(frame)
            self._take(frame)
            if self._is_last_of_fragment(following):
                self.buffer.end()
                if self.stop.is_set():
                    break
        self.buffer.close()

    def begin_film(self, seconds: float) -> None:
        """Tell when the film that was held begins, in seconds from the start."""
        self.report.playing(self.started_ms + round(seconds * 1000))

    def _wait_for(self, frame: TimedFrame) -> None:
        due = self.started_clock + frame.seconds
        while (delay := due - time.monotonic()) > 0:
            if self.buffer.wait_until(lambda: self.sender.is_over, delay):
                break
        self._tell_status()
        raise_error_of(self.sender)

    def _take(self, frame: TimedFrame) -> None:
        at_ms = max(self.started_ms + round(frame.seconds * 1000), self.last_ms + 1)
        is_key = self._is_due(frame.seconds)
        data = self.encoder.encode(frame.image, at_ms, is_key=is_key)
        if is_key:
            self.fragment_seconds = frame.seconds
            self.buffer.begin(at_ms, is_tagged=self.config.tag == "always")
        self.buffer.add(EncodedFrame(at_ms, is_key, data))
        self.last_ms, self.seconds = at_ms, frame.seconds

    def _is_last_of_fragment(self, following: TimedFrame | None) -> bool:
        # The next frame is known beforehand, so the service need not wait for it
        # to learn that the fragment is whole.
        return following is None or self._is_due(following.seconds)

    def _is_due(self, seconds: float) -> bool:
        length = self.config.fragment_seconds
        if self.stop.is_set():
            length = min(length, SHORTEST_FRAGMENT_S)
        return seconds - self.fragment_seconds >= length - 0.0005

    def _tell_status(self) -> None:
        elapsed = time.monotonic() - self.started_clock
        if elapsed >= self.next_status:
            self.next_status += STATUS_S
            self.report.status(elapsed, self.buffer.counts)


def raise_error_of(sender: Sender) -> None:
    """Raise what ended the sender before its time."""
    if sender.error is not None:
        raise sender.error


def _final_event(retention_hours: int) -> str:
    # AWS, PutMedia: a stream that keeps nothing never says PERSISTED.
    return "PERSISTED" if retention_hours > 0 else "RECEIVED"


def _wait_for_acceptance(buffer: FragmentBuffer, sender: Sender, stop: threading.Event) -> None:
    deadline = time.monotonic() + ACCEPTED_S
    while not sender.is_over and not sender.is_accepted and not stop.is_set():
        if time.monotonic() > deadline and sender.is_connected:
            break
        buffer.wait_until(lambda: sender.is_over or sender.is_accepted, 0.1)
    raise_error_of(sender)


def _wait_for_last_acks(buffer: FragmentBuffer, sender: Sender, stop: threading.Event) -> None:
    last_change, counts = time.monotonic(), buffer.counts
    while not buffer.is_done and not sender.is_over:
        patience = LAST_ACKS_STOPPED_S if stop.is_set() else LAST_ACKS_S
        if time.monotonic() - last_change > patience:
            return
        buffer.wait_until(lambda: buffer.is_done or sender.is_over, 0.25)
        if counts != buffer.counts:
            last_change, counts = time.monotonic(), buffer.counts
    raise_error_of(sender)
