"""A bounded queue of background work on tagged fragments."""

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from local.kinesisvideo.store.images import UndecodableError
from local.security.iam import AccessDenied
from local.security.signing import ServiceError

LOGGER = logging.getLogger(__name__)
CAPACITY = 32  # waiting fragments; more are dropped and counted


class WorkQueue:
    """Runs tasks one after the other; failures are only logged, as on AWS."""

    def __init__(self, what: str, capacity: int = CAPACITY) -> None:
        """Start the queue's thread; `what` names it in the log."""
        self.dropped = 0
        self._what = what
        self._worker = ThreadPoolExecutor(1, f"kinesis-video-{what}")
        self._capacity = BoundedSemaphore(capacity)

    def submit(self, task: Callable[..., None], *arguments: Any) -> None:
        """Queue a task; drop it when the queue is full."""
        if not self._capacity.acquire(blocking=False):
            self.dropped += 1
            LOGGER.warning("%s: the queue is full, %d fragments dropped", self._what, self.dropped)
            return
        # A session may still store a fragment while the laptop AWS stops.
        with contextlib.suppress(RuntimeError):
            self._worker.submit(self._run, task, arguments)

    def stop(self) -> None:
        """Drop the waiting tasks and wait for the running one."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def finish(self) -> None:
        """Wait until all queued tasks are done and accept no more."""
        self._worker.shutdown(wait=True)

    def _run(self, task: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            task(*arguments)
        except AccessDenied:
            LOGGER.info("%s: the producer has no right to write there", self._what)
        except ServiceError as error:
            LOGGER.info("%s: refused, %s", self._what, error.code)
        except UndecodableError:
            LOGGER.info("%s: a tagged fragment could not be decoded", self._what)
        except Exception:
            LOGGER.exception("%s: failed", self._what)
        finally:
            self._capacity.release()
