"""A running stream processor: a reader process, the analysis pool and the data stream."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

from local.iam import AccessDenied
from local.rekognition import wire
from local.rekognition.collections import Collections, Match
from local.rekognition.errors import RekognitionError
from local.rekognition.pool import Faces, Pool
from local.rekognition.record import Frame, record
from local.rekognition.spec import LOWEST_THRESHOLD, Cloud, ProcessorError, Spec, stream_name
from local.rekognition.worker import Worker, WorkerDiedError
from local.signing import Credentials, ServiceError

FRAMES_PER_SECOND = float(os.environ.get("REKOGNITION_FRAMES_PER_SECOND", "5"))
PUT_ATTEMPTS = 4

log = logging.getLogger("local.rekognition")

Waiting = tuple[Frame, Future[Faces]]


class Run:
    """One run of a processor, from StartStreamProcessor to its end."""

    def __init__(
        self, spec: Spec, cloud: Cloud, pool: Pool, collections: Collections,
        tell: Callable[[str, str | None], None],
    ) -> None:  # fmt: skip
        self._spec = spec
        self._cloud = cloud
        self._pool = pool
        self._collections = collections
        self._tell = tell
        self._stopping = threading.Event()
        self._reader: Worker | None = None
        self._lock = threading.Lock()
        self._waiting: queue.Queue[Waiting | None] = queue.Queue()
        # One frame per worker and one to follow at once: what comes faster waits in the reader.
        self._slots = threading.Semaphore(pool.size + 1)
        self._error: str | None = None
        self.records = 0
        self.skipped = 0

    def start(self) -> None:
        """Begin in the background; `tell` hears of RUNNING and of the end."""
        threading.Thread(target=self._run, name=f"processor-{self._spec.name}", daemon=True).start()

    def stop(self) -> None:
        """End in the background, in the middle of whatever is going on."""
        self._stopping.set()
        with self._lock:
            if self._reader:
                self._reader.kill()

    def _run(self) -> None:
        writer = threading.Thread(target=self._write_all, daemon=True)
        try:
            keys = self._assume()
            self._search(())
            self._open()
            writer.start()
            self._read_all(keys)
        except ProcessorError as error:
            self._fail(str(error))
        except WorkerDiedError:
            if not self._stopping.is_set():
                self._fail("Internal server error")
        finally:
            self._finish(writer)

    def _open(self) -> None:
        """Start the reader while the analysis loads its models; then the processor runs."""
        with self._lock:
            if self._stopping.is_set():
                raise WorkerDiedError
            self._reader = Worker("reader")
        self._pool.warm()
        self._reader.send(
            {
                "endpoint": self._cloud.endpoint,
                "region": self._cloud.region,
                "stream_arn": self._spec.video_arn,
                "per_second": FRAMES_PER_SECOND,
            }
        )

    def _finish(self, writer: threading.Thread) -> None:
        self.stop()
        if self._reader:
            self._reader.close()
        if writer.is_alive():
            self._waiting.put(None)
            writer.join()
        log.info(
            "processor %s ended: %d records, %d frames skipped",
            self._spec.name, self.records, self.skipped,
        )  # fmt: skip
        self._tell("FAILED" if self._error else "STOPPED", self._error)

    def _fail(self, why: str) -> None:
        self._error = self._error or why
        self.stop()

    # --- reading ---

    def _read_all(self, keys: Credentials | None) -> None:
        while True:
            head, body = self._receive()
            event = head["event"]
            if event == "connect":
                self._send_keys(keys or self._assume())
                keys = None  # the next connection gets fresh ones
            elif event == "reading":
                self._tell("RUNNING", None)
            elif event == "failed":
                raise ProcessorError(self._reading_failed(head["why"]))
            else:
                self._analyse(head, body)

    def _receive(self) -> tuple[wire.Head, bytes]:
        assert self._reader is not None
        return self._reader.receive()

    def _send_keys(self, keys: Credentials) -> None:
        assert self._reader is not None
        self._reader.send(asdict(keys))

    def _analyse(self, head: wire.Head, pixels: bytes) -> None:
        self._slots.acquire()
        self.skipped = head["skipped"]
        frame = Frame(head["fragment"], head["server"], head["producer"], head["offset"])
        width, height = head["size"]
        self._waiting.put((frame, self._pool.frame(pixels, (width, height))))

    def _reading_failed(self, why: str) -> str:
        stream = stream_name(self._spec.video_arn)
        return {
            "denied": "Access denied to Kinesis Video",
            "missing": f"Stream {stream} doesn't exist",
            "codec": "unsupported video codec format",
        }[why]

    # --- writing ---

    def _write_all(self) -> None:
        """Records go out in the order of their frames, although several are analysed at once."""
        keys: Credentials | None = None
        while (waiting := self._waiting.get()) is not None:
            frame, future = waiting
            try:
                if not self._stopping.is_set():
                    faces = future.result()
                    keys = keys or self._assume()
                    self._put(keys, self._record(frame, faces))
            except ProcessorError as error:
                self._fail(str(error))
            except WorkerDiedError:
                log.warning("a frame of processor %s was lost with its worker", self._spec.name)
            finally:
                self._slots.release()

    def _record(self, frame: Frame, faces: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return record(self._spec.video_arn, frame, faces, self._search)

    def _search(self, vector: Sequence[float]) -> list[Match]:
        try:
            collection = self._collections.get(self._spec.collection)
        except RekognitionError as error:
            raise ProcessorError("Collection not found") from error
        if not vector:
            return []
        return collection.search(vector, threshold=max(self._spec.threshold, LOWEST_THRESHOLD))

    def _put(self, keys: Credentials, made: Mapping[str, Any]) -> None:
        # AWS does not say what it partitions by. A fragment's records belong together.
        key = made["InputInformation"]["KinesisVideo"]["FragmentNumber"]
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._cloud.put_record(keys, self._spec.data_arn, made, key)
                self.records += 1
                return
            except AccessDenied as denied:
                raise ProcessorError("Access denied to Kinesis Data") from denied
            except ServiceError as error:
                self._check_data_stream(error)
            except OSError:
                log.warning("the data stream of processor %s can't be reached", self._spec.name)
            time.sleep(0.1 * 2**attempt)

    def _check_data_stream(self, error: ServiceError) -> None:
        if error.code == "ResourceNotFoundException":
            stream = stream_name(self._spec.data_arn)
            account = self._spec.data_arn.split(":")[4]
            raise ProcessorError(f"Stream {stream} under account {account} not found") from error
        log.warning("processor %s: PutRecord failed with %s", self._spec.name, error.code)

    def _assume(self) -> Credentials:
        try:
            return self._cloud.assume(self._spec.role_arn, self._spec.arn, self._spec.name[:64])
        except AccessDenied as denied:
            raise ProcessorError("Access denied to Role") from denied
