"""A running stream processor: a reader process, the analysis pool and the data stream."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from local.rekognition.collections import Collections
from local.rekognition.processors.record import Frame
from local.rekognition.processors.spec import (
    UNEXPECTED,
    Cloud,
    ProcessorError,
    ProcessorSpec,
    stream_name,
)
from local.rekognition.processors.writer import RecordWriter
from local.rekognition.worker import wire
from local.rekognition.worker.pool import WorkerPool
from local.rekognition.worker.process import Worker, WorkerDiedError

FRAMES_PER_SECOND = float(os.environ.get("REKOGNITION_FRAMES_PER_SECOND", "5"))
LOG_SECONDS = 10.0  # between two lines about frames that were skipped

log = logging.getLogger("local.rekognition")


class ProcessorRun:
    """One run of a processor, from StartStreamProcessor to its end."""

    def __init__(
        self, spec: ProcessorSpec, cloud: Cloud, pool: WorkerPool, collections: Collections,
        on_status: Callable[[str, str | None], None],
    ) -> None:  # fmt: skip
        """Prepare a run; `on_status` is called when its status changes."""
        self._spec = spec
        self._cloud = cloud
        self._pool = pool
        self._on_status = on_status
        self._stopping = threading.Event()
        self._reader: Worker | None = None
        self._lock = threading.Lock()
        # One frame per worker and one to follow at once: what comes faster waits in the reader.
        self._slots = threading.Semaphore(pool.size + 1)
        self._writer = RecordWriter(spec, cloud, collections, self._fail, self._slots.release)
        self._error: str | None = None
        self._skipped = 0
        self._logged_at = float("-inf")

    def start(self) -> None:
        """Start in the background; `on_status` is called with RUNNING and at the end."""
        threading.Thread(target=self._run, name=f"processor-{self._spec.name}", daemon=True).start()

    def stop(self) -> None:
        """Stop at once, in the background."""
        self._stopping.set()
        self._writer.stop()
        with self._lock:
            if self._reader:
                self._reader.kill()

    def _run(self) -> None:
        try:
            self._writer.assume()
            self._writer.search()
            reader = self._open()
            self._writer.start()
            while not self._stopping.is_set():
                self._handle_message(reader, *reader.receive())
        except ProcessorError as error:
            self._fail(str(error))
        except WorkerDiedError:
            if not self._stopping.is_set():
                self._fail(UNEXPECTED)
        except Exception:
            log.exception("processor %s failed", self._spec.name)
            self._fail(UNEXPECTED)
        finally:
            self._finish()

    def _open(self) -> Worker:
        """Start the reader process while the analysis workers load their models."""
        with self._lock:
            if self._stopping.is_set():
                raise WorkerDiedError
            self._reader = reader = Worker("processors.reader")
        self._pool.warm()
        reader.send(
            {
                "endpoint": self._cloud.endpoint,
                "region": self._cloud.region,
                "stream_arn": self._spec.video_arn,
                "per_second": FRAMES_PER_SECOND,
            }
        )
        return reader

    def _finish(self) -> None:
        self.stop()
        if self._reader:
            self._reader.close()
        self._writer.close()
        self._log_counts("ended")
        self._on_status("FAILED" if self._error else "STOPPED", self._error)

    def _fail(self, why: str) -> None:
        self._error = self._error or why
        self.stop()

    def _handle_message(self, reader: Worker, head: wire.Head, pixels: bytes) -> None:
        """Handle a message of the reader: a frame, its progress, or why it failed."""
        match head["event"]:
            case "frame":
                self._analyse(head, pixels)
            case "connect":  # every connection gets fresh keys
                reader.send(asdict(self._writer.assume()))
            case "reading":
                self._on_status("RUNNING", None)
            case "skipped":
                self._count_skipped(head["frames"])
            case "failed":
                raise ProcessorError(self._read_failure(head["why"]))

    def _analyse(self, head: wire.Head, pixels: bytes) -> None:
        self._slots.acquire()
        frame = Frame(head["fragment"], head["server"], head["producer"], head["offset"])
        width, height = head["size"]
        self._writer.add(frame, self._pool.analyze_frame(pixels, (width, height)))

    def _count_skipped(self, frames: int) -> None:
        self._skipped += frames
        if time.monotonic() - self._logged_at > LOG_SECONDS:
            self._logged_at = time.monotonic()
            self._log_counts("can't keep up")

    def _log_counts(self, what: str) -> None:
        log.info(
            "processor %s %s: %d records, %d frames skipped",
            self._spec.name, what, self._writer.records, self._skipped,
        )  # fmt: skip

    def _read_failure(self, why: str) -> str:
        stream = stream_name(self._spec.video_arn)
        return {
            "denied": "Access denied to Kinesis Video",
            "missing": f"Stream {stream} doesn't exist",
            "codec": "unsupported video codec format",
        }[why]
