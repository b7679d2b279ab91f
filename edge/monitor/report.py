"""Tells how the edge is doing: lines for a person, or JSON for a program."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TextIO

from ..config import Config
from ..fragments import Counts
from ..media.mkv import Track
from .show_status import in_words
from .status import Status


class Report:
    """What is said while streaming; never a credential."""

    def __init__(self, config: Config, out: TextIO, err: TextIO) -> None:
        self._config = config
        self._out = out
        self._err = err

    def say(self, text: str) -> None:
        """Tell a person something out of the ordinary."""
        self._err.write(f"{self._config.camera}: {text}\n")
        self._err.flush()

    def connecting(self, config: Config, region: str, track: Track, retention_hours: int) -> None:
        """Tell what is about to be sent where."""
        size = f"{track.width}x{track.height}"
        self._tell(f"{config.shown_source} at {size} to {config.stream} in {region}")
        if retention_hours == 0:
            self.say("The stream keeps nothing, so a fragment counts once it was received.")

    def started(self, first_capture_ms: int) -> None:
        """Tell that the first frame is being taken."""
        at = _iso(first_capture_ms)
        self._tell(f"streaming since {at}")
        if self._config.is_held:
            self._tell("the film stands still; press Enter to let it go")
        self._event("started", first_capture=at)

    def playing(self, first_capture_ms: int) -> None:
        """Tell that a film that was held begins."""
        at = _iso(first_capture_ms)
        self._tell(f"playing since {at}")
        self._event("playing", first_capture=at)

    def status(self, status: Status) -> None:
        """Tell how it is doing."""
        self._tell(in_words({**asdict(status), "runs": True}))

    def ended(self, counts: Counts, seconds: float) -> None:
        """Tell what became of it all."""
        self._tell(f"ended after {seconds:.1f} s: {_in_words(counts)}")
        self._event(
            "ended",
            frames=counts.frames,
            fragments=counts.fragments,
            persisted=counts.persisted,
            refused=counts.refused,
            dropped=counts.dropped,
            seconds=round(seconds, 3),
        )

    def _tell(self, text: str) -> None:
        if not self._config.is_json:
            self.say(text)

    def _event(self, event: str, **facts: object) -> None:
        if self._config.is_json:
            self._out.write(json.dumps({"event": event, **facts}) + "\n")
            self._out.flush()


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_words(counts: Counts) -> str:
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
