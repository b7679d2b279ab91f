"""The pool of analysis workers, started when first needed and then kept."""

import os
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from local.rekognition.errors import RekognitionError
from local.rekognition.worker import wire
from local.rekognition.worker.process import Worker, WorkerDiedError
from local.rekognition.worker.recent import Faces, RecentFaces

MAX_WORKERS = 4
MAX_FACES = 100  # of one picture; DetectFaces and IndexFaces

_SIDE = 80
_BLACK = bytes(_SIDE * _SIDE * 3)


@dataclass(frozen=True, slots=True)
class Job:
    """A picture to analyze and the future of its faces."""

    head: wire.Head
    body: bytes
    found: Future[Faces] = field(default_factory=Future)


class WorkerPool:
    """Workers that share one queue: a new one starts when all are busy, at most one per core."""

    def __init__(self, size: int | None = None) -> None:
        """Set the number of workers, by default one per core."""
        self.size = size or min(os.cpu_count() or 1, MAX_WORKERS)
        self._recent = RecentFaces()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._workers: dict[threading.Thread, Worker | None] = {}
        self._waiting = 0  # workers without a job, less jobs without a worker
        self._closed = False

    def analyze_picture(self, data: bytes, *, vectors: int) -> Faces:
        """Return the faces in a picture file, the `vectors` largest with their vector."""
        known = self._recent.get(data)
        if known is None:
            head = {"search_small": True, "vectors": vectors}
            faces = self._submit(Job(head, data)).result()
            self._recent.keep(data, faces)
            return faces
        if not known[:vectors]:
            return known
        boxes = [face["box"] for face in known[:vectors]]
        found = self._submit(Job({"boxes": boxes}, data)).result()
        with_vector = [face | new for face, new in zip(known, found, strict=False)]
        return with_vector + known[vectors:]

    def analyze_frame(self, pixels: bytes, size: tuple[int, int]) -> Future[Faces]:
        """Return a future of the faces in a video frame, each with its vector."""
        head = {"search_small": False, "vectors": MAX_FACES, "size": size}
        return self._submit(Job(head, pixels))

    def warm(self) -> None:
        """Start all workers and wait for the first of them to be ready."""
        with self._lock:
            while len(self._workers) < self.size and not self._closed:
                self._grow()
        self.analyze_frame(_BLACK, (_SIDE, _SIDE)).result()

    def close(self) -> None:
        """Kill all workers at once."""
        with self._lock:
            self._closed = True
            workers = dict(self._workers)
        for worker in workers.values():
            self._jobs.put(None)  # for whichever thread takes it
            if worker:
                worker.kill()
        for thread in workers:
            thread.join()
        self._drain()

    def _submit(self, job: Job) -> Future[Faces]:
        with self._lock:
            if self._closed:
                raise WorkerDiedError
            self._waiting -= 1
            if self._waiting < 0 and len(self._workers) < self.size:
                self._grow()
            self._jobs.put(job)
        return job.found

    def _grow(self) -> None:
        thread = threading.Thread(target=self._serve, name="rekognition-analysis", daemon=True)
        self._workers[thread] = None
        self._waiting += 1
        thread.start()

    def _serve(self) -> None:
        """Run one worker's thread: when a worker dies, its job fails and a new worker starts."""
        thread = threading.current_thread()
        try:
            while True:
                worker = Worker("worker.analysis")
                try:
                    with self._lock:
                        self._workers[thread] = worker
                        if self._closed:
                            return
                    worker.receive()  # it has loaded its models
                    if not self._serve_with(worker):
                        return
                finally:
                    worker.close()
        except WorkerDiedError:
            pass  # it did not even start
        finally:
            with self._lock:
                del self._workers[thread]
                self._waiting -= 1
                last = not self._workers
            if last:
                self._drain()

    def _serve_with(self, worker: Worker) -> bool:
        """Send jobs to a worker; return False when the pool closes."""
        while (job := self._jobs.get()) is not None and not self._closed:
            try:
                worker.send(job.head, job.body)
                answer, _ = worker.receive()
            except WorkerDiedError as error:
                job.found.set_exception(error)
                return not self._closed
            finally:
                with self._lock:
                    self._waiting += 1
            _resolve(job, answer)
        if job:
            job.found.set_exception(WorkerDiedError())
        return False

    def _drain(self) -> None:
        """Fail the waiting jobs."""
        while not self._jobs.empty():
            job = self._jobs.get()
            if job:
                job.found.set_exception(WorkerDiedError())


def _resolve(job: Job, answer: wire.Head) -> None:
    if "code" in answer:
        job.found.set_exception(RekognitionError(answer["code"], answer["message"]))
    else:
        job.found.set_result(answer["faces"])
