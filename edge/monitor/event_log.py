"""What a run reports: lines on stderr for people, JSON lines on stdout for programs."""

import contextlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

from ..buffer.fragment import Counts
from ..config import Config
from ..media.mkv import VideoTrack
from .show_status import format_status
from .status import Status


class EventLog:
    """Writes a run's events; never a credential."""

    def __init__(self, config: Config, out: TextIO, err: TextIO) -> None:
        """Write to these two streams; `config` decides between lines and JSON."""
        self._config = config
        self._out = out
        self._err = err
        self._track: VideoTrack | None = None

    def log(self, text: str) -> None:
        """Write a line for people about something unusual; do nothing if that is not possible."""
        with contextlib.suppress(OSError):  # video matters more, and each thread writes here
            self._err.write(f"{self._config.camera}: {text}\n")
            self._err.flush()

    def connecting(
        self, config: Config, region: str, track: VideoTrack, retention_hours: int
    ) -> None:
        """Report the source, its size and the stream; once for each video format."""
        if track == self._track:
            return
        self._track = track
        size = f"{track.width}x{track.height}"
        self._log_for_people(f"{config.shown_source} at {size} to {config.stream} in {region}")
        if retention_hours == 0:
            self.log("The stream retains nothing: a fragment counts as stored when it is received.")

    def started(self, first_capture_ms: int) -> None:
        """Report the time of the first frame, in milliseconds since 1970."""
        at = _iso(first_capture_ms)
        self._log_for_people(f"streaming since {at}")
        if self._config.is_held:
            self._log_for_people("the film waits on its first frame; press Enter to start it")
        self._write_event("started", first_capture=at)

    def playing(self, first_capture_ms: int) -> None:
        """Report that a held film was released; its first frame has that time."""
        at = _iso(first_capture_ms)
        self._log_for_people(f"playing since {at}")
        self._write_event("playing", first_capture=at)

    def status(self, status: Status) -> None:
        """Report the run's status in one line."""
        self._log_for_people(format_status({**asdict(status), "runs": True}))

    def ended(self, counts: Counts, seconds: float) -> None:
        """Report what became of all frames and fragments; `seconds` is the captured length."""
        self._log_for_people(f"ended after {seconds:.1f} s: {_format_counts(counts)}")
        self._write_event(
            "ended",
            frames=counts.frames,
            fragments=counts.fragments,
            persisted=counts.persisted,
            refused=counts.refused,
            dropped=counts.dropped,
            seconds=round(seconds, 3),
        )

    def _log_for_people(self, text: str) -> None:
        if not self._config.is_json:
            self.log(text)

    def _write_event(self, event: str, **facts: object) -> None:
        if self._config.is_json:
            self._out.write(json.dumps({"event": event, **facts}) + "\n")
            self._out.flush()


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _format_counts(counts: Counts) -> str:
    words = f"{counts.frames} frames, {counts.persisted} of {counts.fragments} fragments stored"
    dropped = [(number, f"dropped ({reason})") for reason, number in counts.dropped_by.items()]
    for number, what in (
        (counts.waiting, "not stored yet"),
        (counts.refused, "refused"),
        (counts.unwanted, "not sent because not tagged"),
        *dropped,
    ):
        words += f", {number} {what}" if number else ""
    return words
