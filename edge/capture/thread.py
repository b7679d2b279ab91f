"""The thread that captures; it opens a source anew that was lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..config import Config
from ..errors import SourceError, SourceLostError
from ..fragments import EncodedFrame, FragmentBuffer
from ..media.mkv import Track
from ..monitor.report import Report
from ..sources import open_source
from ..sources.source import Source
from ..timeouts import BackOff, Patience
from .pipeline import Capture

REOPENING = Patience(first_pause_s=0.5, longest_pause_s=15)
# A source that ran so long was really there, and pauses start over.
WORKED_S = 30.0


@dataclass(slots=True)
class Intake:
    """The buffer as capture sees it: it outlives each source, and only the run closes it."""

    buffer: FragmentBuffer
    on_track: Callable[[Track], None]
    track: Track | None = None

    def begin(self, at_ms: int, track: Track) -> None:
        """Start the next fragment."""
        if track != self.track:
            self.track = track
            self.on_track(track)
        self.buffer.begin(at_ms, track)

    def add(self, frame: EncodedFrame) -> None:
        """Add a frame to the fragment under way."""
        self.buffer.add(frame)

    def end(self, *, is_tagged: bool, is_wanted: bool = True) -> None:
        """Say that the fragment under way has all its frames."""
        self.buffer.end(is_tagged=is_tagged, is_wanted=is_wanted)

    def close(self) -> None:
        """Leave the buffer open: the source may be opened anew."""


class Capturing:
    """Captures from one source after another until it ends, or somebody says stop.

    The source is opened at once, so that one which can never work is told before
    anything else happens.
    """

    def __init__(self, config: Config, report: Report) -> None:
        self.error: Exception | None = None
        self.last_error = ""
        self.last_error_at = 0.0
        self.seconds = 0.0
        self._config = config
        self._report = report
        self._stopped = threading.Event()
        # Each source has its own, so that it can be ended without ending the run.
        self._halt = threading.Event()
        self._back_off = BackOff(REOPENING)
        self._source: Source | None = None
        self._open_first()
        self.is_live = self._source is None or self._source.is_live
        self._thread: threading.Thread | None = None

    @property
    def is_over(self) -> bool:
        """Say whether no more frames come."""
        return self._thread is None or not self._thread.is_alive()

    def start(self, intake: Intake) -> None:
        """Begin to capture."""
        self._thread = threading.Thread(
            target=self._run, args=(intake,), name="capture", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the fragment under way as soon as PutMedia's rules allow, then the capture."""
        self._stopped.set()
        self._halt.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, but not for ever: a device may hang."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Let go of a source that was never used."""
        if self._thread is None and self._source is not None:
            self._source.close()

    def restart(self) -> None:
        """Open a live source anew; a film goes on, it would begin again."""
        if self.is_live:
            self._halt.set()

    def _open_first(self) -> None:
        try:
            self._source = open_source(self._config, self._halt)
        except SourceLostError as lost:
            self._note(lost)

    def _run(self, intake: Intake) -> None:
        try:
            while not self._stopped.is_set() and self._capture(intake):
                pass
        except Exception as exc:
            # Whatever it is, it is raised anew in the thread that can tell of it.
            self.error = exc
        finally:
            intake.buffer.close()

    def _capture(self, intake: Intake) -> bool:
        """Use one source until it ends; say whether another is to follow."""
        began = time.monotonic()
        try:
            source, self._source = self._source or self._reopened(), None
            with source:
                self._capture_from(source, intake)
            return self.is_live
        except SourceLostError as lost:
            if time.monotonic() - began > WORKED_S:
                self._back_off.start_over()
            self._pause(lost)
            return True

    def _reopened(self) -> Source:
        self._halt = threading.Event()
        if self._stopped.is_set():
            self._halt.set()
        try:
            return open_source(self._config, self._halt)
        except SourceError as exc:
            # It has been there: a camera that was unplugged is no device for a while.
            raise SourceLostError(str(exc)) from exc

    def _capture_from(self, source: Source, intake: Intake) -> None:
        capture = Capture(self._config, source, intake, self._report, self._halt)
        try:
            capture.run()
        finally:
            if capture.counts.captured:
                self.seconds += capture.counts.seconds + 1 / source.rate

    def _pause(self, lost: SourceLostError) -> None:
        pause_s = self._back_off.pause_s()
        self._note(lost)
        self._report.say(f"{lost} The source is opened anew in {pause_s:.1f} s.")
        self._stopped.wait(pause_s)

    def _note(self, lost: SourceLostError) -> None:
        self.last_error, self.last_error_at = str(lost), time.time()
