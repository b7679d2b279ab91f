"""The stream processors of the account, from CreateStreamProcessor to DeleteStreamProcessor."""

import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from local.rekognition.collections import Collections
from local.rekognition.errors import RekognitionError, in_use, not_found
from local.rekognition.processors.running import ProcessorRun
from local.rekognition.processors.spec import Cloud, ProcessorSpec
from local.rekognition.worker.pool import WorkerPool

MAX_RUNNING = 10
MAX_PROCESSORS = 10_000
STOP_INTERVAL_SECONDS = 1.0  # StopStreamProcessor: one per second for the whole account
UPDATE_SECONDS = 2.0  # how long a change takes; AWS names the state but no time
NAME_SECONDS = float(os.environ.get("REKOGNITION_NAME_SECONDS", "3"))
ACTIVE = {"STARTING", "RUNNING", "STOPPING"}
BUSY = ACTIVE | {"UPDATING"}

Request = dict[str, Any]


@dataclass(slots=True)
class Processor:
    """A stream processor and its status."""

    spec: ProcessorSpec
    request: Request
    status: str = "STOPPED"
    message: str | None = None
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    run: ProcessorRun | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def set(self, status: str, message: str | None = None) -> None:
        """Set the status and the time of its change."""
        self.status, self.message, self.updated = status, message, time.time()


class Processors:
    """All stream processors of the account."""

    def __init__(self, cloud: Cloud, pool: WorkerPool, collections: Collections) -> None:
        """Start without processors."""
        self._cloud = cloud
        self._pool = pool
        self._collections = collections
        self._lock = threading.RLock()
        self._all: dict[str, Processor] = {}
        self._freed: dict[str, float] = {}
        self._last_stop = float("-inf")

    def create(self, spec: ProcessorSpec, request: Request) -> None:
        """Create a processor; it does nothing until it is started."""
        with self._lock:
            self._check_free(spec)
            self._all[spec.name] = Processor(spec, request, tags=dict(request.get("Tags", {})))

    def get(self, name: str) -> Processor:
        """Return the processor of that name, or raise ResourceNotFoundException."""
        found = self._all.get(name)
        if found is None:
            raise not_found(f"Stream processor {name} not found")
        return found

    def all(self) -> list[Processor]:
        """Return all processors by name."""
        with self._lock:
            return [self._all[name] for name in sorted(self._all)]

    def start(self, name: str) -> None:
        """Start a run; the status shows whether it works."""
        with self._lock:
            processor = self.get(name)
            if processor.status in BUSY:
                raise in_use(f"Stream processor {name} is {processor.status}")
            if sum(one.status in ACTIVE for one in self._all.values()) >= MAX_RUNNING:
                raise _limit_exceeded(MAX_RUNNING)
            processor.set("STARTING")
            run = ProcessorRun(
                processor.spec, self._cloud, self._pool, self._collections,
                lambda status, message: self._on_status(processor, run, status, message),
            )  # fmt: skip
            processor.run = run
            run.start()

    def stop(self, name: str) -> None:
        """Start to stop a run."""
        with self._lock:
            self._throttle_stop()
            processor = self.get(name)
            if processor.status not in {"STARTING", "RUNNING"}:
                raise in_use(f"Stream processor {name} is {processor.status}")
            self._stop(processor)

    def update(self, name: str, changes: Request) -> None:
        """Update the settings of a processor, which is UPDATING for a moment."""
        with self._lock:
            processor = self.get(name)
            if processor.status in BUSY:
                raise in_use(f"Stream processor {name} is {processor.status}")
            before = processor.status, processor.message
            processor.request |= changes
            processor.set("UPDATING")
            timer = threading.Timer(UPDATE_SECONDS, processor.set, before)
            timer.daemon = True
            timer.start()

    def delete(self, name: str) -> None:
        """Delete a processor, also one that hangs in STARTING, as AWS's troubleshooting advises."""
        with self._lock:
            processor = self.get(name)
            if processor.status in BUSY - {"STARTING"}:
                raise in_use(f"Stream processor {name} is {processor.status}")
            if processor.run:
                processor.run.stop()
            del self._all[name]
            self._freed[name] = time.monotonic()

    def clear(self) -> None:
        """Stop all runs and delete all processors."""
        with self._lock:
            for processor in self._all.values():
                if processor.run:
                    processor.run.stop()
            self._all.clear()
            self._freed.clear()

    def _check_free(self, spec: ProcessorSpec) -> None:
        """Raise an error if the name or a stream belongs to another processor."""
        if spec.name in self._all:
            raise in_use(f"Stream processor {spec.name} already exists")
        if time.monotonic() - self._freed.get(spec.name, float("-inf")) < NAME_SECONDS:
            raise in_use(f"Stream processor {spec.name} was just deleted")
        if len(self._all) >= MAX_PROCESSORS:
            raise _limit_exceeded(MAX_PROCESSORS)
        for other in self._all.values():
            for arn in (spec.video_arn, spec.data_arn):
                if arn in (other.spec.video_arn, other.spec.data_arn):
                    raise in_use(f"{arn} is used by stream processor {other.spec.name}")

    def _throttle_stop(self) -> None:
        now = time.monotonic()
        if now - self._last_stop < STOP_INTERVAL_SECONDS:
            raise RekognitionError("ThrottlingException", "Rate exceeded")
        self._last_stop = now

    @staticmethod
    def _stop(processor: Processor) -> None:
        processor.set("STOPPING")
        if processor.run:
            processor.run.stop()

    def _on_status(
        self, processor: Processor, run: ProcessorRun, status: str, message: str | None
    ) -> None:
        """Set the status that a run reports; a stopped or replaced run can only report its end."""
        with self._lock:
            if processor.run is not run:
                return
            if status != "RUNNING":
                processor.run = None
                if processor.status == "STOPPING":
                    status, message = "STOPPED", None
            elif processor.status != "STARTING":
                return
            processor.set(status, message)


def _limit_exceeded(most: int) -> RekognitionError:
    """Return the error that boto3 issue 1800 quotes; the model has none for too many starts."""
    return RekognitionError(
        "LimitExceededException", f"Stream processor limit exceeded for account, limit - {most}"
    )
