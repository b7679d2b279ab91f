"""The thread that captures; it reopens a live source that was lost."""

import threading
import time
from collections.abc import Callable

from ..buffer.buffer import FragmentBuffer
from ..config import Config
from ..errors import SourceError, SourceLostError
from ..media.mkv import VideoTrack
from ..monitor.event_log import EventLog
from ..sources import open_source
from ..sources.source import Source
from ..timeouts import Backoff, Timeouts
from .pipeline import CapturePipeline

REOPEN_TIMEOUTS = Timeouts(first_delay_s=0.5, max_delay_s=15)
# A source that ran this long worked, so the delays start over.
WORKED_S = 30.0


class CaptureThread:
    """Captures from a source, and reopens a live one until the run stops.

    All threads may call it. The capture thread alone uses the source.
    """

    def __init__(self, config: Config, event_log: EventLog) -> None:
        """Open the source now, so that a wrong one is an error before anything else starts.

        Raises SourceError. A live source that does not answer yet is opened by the thread.
        """
        self.error: Exception | None = None
        self.last_error = ""
        self.last_error_at = 0.0
        self.seconds = 0.0
        self._config = config
        self._event_log = event_log
        self._stopped = threading.Event()
        # Each opened source has its own event: a source can be ended without ending the run.
        self._halt = threading.Event()
        self._backoff = Backoff(REOPEN_TIMEOUTS)
        self._source: Source | None = None
        self._pipeline: CapturePipeline | None = None
        self._open_first()
        self.is_live = self._source is None or self._source.is_live
        self._thread: threading.Thread | None = None

    @property
    def video(self) -> str:
        """Return what is sent, and whether it is encoded; empty before the first frame."""
        pipeline = self._pipeline
        return pipeline.video if pipeline else ""

    @property
    def is_over(self) -> bool:
        """Return whether no more frames will come."""
        return self._thread is None or not self._thread.is_alive()

    def start(self, buffer: FragmentBuffer, on_track: Callable[[VideoTrack], None]) -> None:
        """Start to capture into the buffer; `on_track` is called with each source's track."""
        self._thread = threading.Thread(
            target=self._run, args=(buffer, on_track), name="capture", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the current fragment as soon as PutMedia allows, then end the capture."""
        self._stopped.set()
        self._halt.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, at most `timeout_s`: a device may hang."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def close(self) -> None:
        """Close a source that was opened but never captured from."""
        if self._thread is None and self._source is not None:
            self._source.close()

    def restart(self) -> None:
        """Reopen a live source; do nothing for a film, which would start from its beginning."""
        if self.is_live:
            self._halt.set()

    def _open_first(self) -> None:
        try:
            self._source = open_source(self._config, self._halt)
        except SourceLostError as lost:
            self._record_error(lost)

    def _run(self, buffer: FragmentBuffer, on_track: Callable[[VideoTrack], None]) -> None:
        try:
            while not self._stopped.is_set() and self._capture(buffer, on_track):
                pass
        except Exception as exc:
            # The supervisor raises it again in the main thread, which reports it.
            self.error = exc
        finally:
            buffer.close()

    def _capture(self, buffer: FragmentBuffer, on_track: Callable[[VideoTrack], None]) -> bool:
        """Capture from one source until it ends; return whether to open it again."""
        began = time.monotonic()
        try:
            source, self._source = self._source or self._reopen(), None
            with source:
                self._run_pipeline(source, buffer, on_track)
            return self.is_live
        except SourceLostError as lost:
            if time.monotonic() - began > WORKED_S:
                self._backoff.reset()
            self._pause(lost)
            return True

    def _reopen(self) -> Source:
        self._halt = threading.Event()
        if self._stopped.is_set():
            self._halt.set()
        try:
            return open_source(self._config, self._halt)
        except SourceError as exc:
            # The source worked before: a camera that was unplugged has no device for a while.
            raise SourceLostError(str(exc)) from exc

    def _run_pipeline(
        self, source: Source, buffer: FragmentBuffer, on_track: Callable[[VideoTrack], None]
    ) -> None:
        self._pipeline = pipeline = CapturePipeline(
            self._config, source, buffer, self._event_log, self._halt, on_track
        )
        try:
            pipeline.run()
        finally:
            if pipeline.segmenter.frame_count:
                self.seconds += pipeline.segmenter.seconds + 1 / source.rate

    def _pause(self, lost: SourceLostError) -> None:
        delay_s = self._backoff.next_delay_s()
        self._record_error(lost)
        self._event_log.log(f"{lost} The source is reopened in {delay_s:.1f} s.")
        self._stopped.wait(delay_s)

    def _record_error(self, lost: SourceLostError) -> None:
        self.last_error, self.last_error_at = str(lost), time.time()
