"""The writer of a running stream processor: faces in, records out, in order."""

import http.client
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from local.rekognition.collections import Collections, Match
from local.rekognition.errors import RekognitionError
from local.rekognition.processors.record import Frame, record
from local.rekognition.processors.spec import (
    UNEXPECTED,
    Cloud,
    ProcessorError,
    ProcessorSpec,
    stream_name,
)
from local.rekognition.worker.process import WorkerDiedError
from local.rekognition.worker.recent import Faces
from local.security.iam import AccessDenied
from local.security.signing import Credentials, ServiceError

PUT_ATTEMPTS = 4

log = logging.getLogger("local.rekognition")

Waiting = tuple[Frame, Future[Faces]]


class RecordWriter:
    """Writes the records of one run: `on_failed` gets the reason of a failure, `on_settled` is
    called after each frame."""

    def __init__(
        self, spec: ProcessorSpec, cloud: Cloud, collections: Collections,
        on_failed: Callable[[str], None], on_settled: Callable[[], None],
    ) -> None:  # fmt: skip
        """Prepare to write; `on_failed` and `on_settled` are called from the writer's thread."""
        self._spec = spec
        self._cloud = cloud
        self._collections = collections
        self._on_failed = on_failed
        self._on_settled = on_settled
        self._stopping = threading.Event()
        self._waiting: queue.Queue[Waiting | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._keys: Credentials | None = None
        self.records = 0

    def start(self) -> None:
        """Start to write in the background."""
        self._thread.start()

    def add(self, frame: Frame, faces: Future[Faces]) -> None:
        """Queue the record of a frame, written after all earlier ones once its faces are found."""
        self._waiting.put((frame, faces))

    def stop(self) -> None:
        """Stop writing; waiting frames are settled without a record."""
        self._stopping.set()

    def close(self) -> None:
        """Wait until the last record is written."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def assume(self) -> Credentials:
        """Return new keys of the role; raise ProcessorError if it does not trust the processor."""
        try:
            return self._cloud.assume(self._spec.role_arn, self._spec.arn, self._spec.name[:64])
        except AccessDenied as denied:
            raise ProcessorError("Access denied to Role") from denied

    def search(self, vector: Sequence[float] = ()) -> list[Match]:
        """Return the matches of a face; without one, only check that the collection exists."""
        try:
            collection = self._collections.get(self._spec.collection)
        except RekognitionError as error:
            raise ProcessorError("Collection not found") from error
        if not vector:
            return []
        return collection.search(vector, threshold=self._spec.threshold)

    def _write_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            try:
                if not self._stopping.is_set():
                    self._write(*waiting)
            except ProcessorError as error:
                self._on_failed(str(error))
            except WorkerDiedError:
                log.warning("a frame of processor %s was lost with its worker", self._spec.name)
            except Exception:  # a processor must not look as if it ran
                log.exception("a record of processor %s can't be written", self._spec.name)
                self._on_failed(UNEXPECTED)
            finally:
                self._on_settled()

    def _write(self, frame: Frame, found: Future[Faces]) -> None:
        faces = found.result()
        self.search()  # a frame without a face, too, is searched in a collection
        made = record(self._spec.video_arn, frame, faces, self.search)
        self._keys = self._keys or self.assume()
        self._put(self._keys, made, frame.fragment)

    def _put(self, keys: Credentials, made: Mapping[str, Any], key: str) -> None:
        # AWS does not document the partition key. One per fragment keeps its records in order.
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._cloud.put_record(keys, self._spec.data_arn, made, key)
                self.records += 1
                return
            except AccessDenied as denied:
                self.assume()  # it may be the role itself that is gone
                raise ProcessorError("Access denied to Kinesis Data") from denied
            except ServiceError as error:
                self._check_data_stream(error)
            except (OSError, http.client.HTTPException):
                log.warning("the data stream of processor %s can't be reached", self._spec.name)
            if self._stopping.wait(0.1 * 2**attempt):
                return
        log.warning("a record of processor %s is lost", self._spec.name)

    def _check_data_stream(self, error: ServiceError) -> None:
        if error.code == "ResourceNotFoundException":
            stream = stream_name(self._spec.data_arn)
            account = self._spec.data_arn.split(":")[4]
            raise ProcessorError(f"Stream {stream} under account {account} not found") from error
        log.warning("processor %s: PutRecord failed with %s", self._spec.name, error.code)
