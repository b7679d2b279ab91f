"""The limit of concurrent connections of one operation to a stream."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.store.streams import Stream


class ConnectionLimit:
    """Counts an operation's connections to each stream; for one event loop."""

    def __init__(self, operation: str, most: int, error: str) -> None:
        """Set an operation's limit and the error beyond it."""
        self._operation, self._most, self._error = operation, most, error
        self._open: Counter[str] = Counter()

    def is_used(self, stream: Stream) -> bool:
        """Return whether a connection to the stream is open."""
        return self._open[stream.arn] > 0

    @contextmanager
    def acquire(self, stream: Stream) -> Iterator[None]:
        """Count a connection while the block runs; raise the operation's error at the limit."""
        if self._open[stream.arn] >= self._most:
            message = f"Stream {stream.name} has {self._most} {self._operation} connections already"
            raise KinesisVideoError(self._error, message)
        self._open[stream.arn] += 1
        try:
            yield
        finally:
            self._open[stream.arn] -= 1
            self._open += Counter()  # drops zero counts
