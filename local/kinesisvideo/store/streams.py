"""The video streams of the account and their settings."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.kinesisvideo.errors import (
    KinesisVideoError,
    invalid_argument,
    stream_not_found,
    version_mismatch,
)

MAX_RETENTION_HOURS = 87_600


def new_version() -> str:
    """Return a new version: an opaque alphanumeric string like AWS's."""
    return secrets.token_hex(10)


@dataclass(frozen=True, slots=True)
class DelayedSetting:
    """A setting that takes effect after a delay: requested, since when, and the previous one."""

    requested: Mapping[str, Any] | None = None
    since: float = 0.0
    previous: Mapping[str, Any] | None = None

    def effective(self, now: float, delay: float) -> Mapping[str, Any] | None:
        """Return the setting in effect; on AWS a change takes at least a minute."""
        return self.requested if now >= self.since + delay else self.previous


@dataclass(frozen=True, slots=True)
class Stream:
    """One video stream."""

    name: str
    arn: str
    created: float
    retention_hours: int = 0
    version: str = field(default_factory=new_version)
    media_type: str | None = None
    device_name: str | None = None
    kms_key: str | None = None
    storage_tier: str = "HOT"
    tags: Mapping[str, str] = field(default_factory=dict)
    images: DelayedSetting = DelayedSetting()
    notifications: DelayedSetting = DelayedSetting()
    archived_since: float = 0.0  # before it, the stream had no retention

    def archives(self, server_ms: int) -> bool:
        """Return whether a fragment of that arrival time was archived, not only buffered."""
        return self.retention_hours > 0 and server_ms >= int(self.archived_since * 1000)


class Streams:
    """All streams by name; thread-safe, because both planes use it."""

    def __init__(self, account: str, region: str, clock: Callable[[], float] = time.time) -> None:
        """Start an account without streams."""
        self._prefix = f"arn:aws:kinesisvideo:{region}:{account}:stream/"
        self._clock = clock
        self._lock = threading.RLock()
        self._streams: dict[str, Stream] = {}

    def create(self, name: str, **properties: Any) -> Stream:
        """Create a stream; raise an error if the name is taken."""
        with self._lock:
            if name in self._streams:
                message = f"The stream {name} already exists."
                raise KinesisVideoError("ResourceInUseException", message)
            created = self._clock()
            arn = f"{self._prefix}{name}/{int(created * 1000)}"
            self._streams[name] = Stream(name, arn, created, **properties)
            return self._streams[name]

    def find(self, name: str | None, arn: str | None = None) -> Stream:
        """Return the stream of that name or ARN; raise an error if there is none."""
        if not name and arn and arn.startswith(self._prefix):
            name = arn.removeprefix(self._prefix).partition("/")[0]
        stream = self.get(name or "")
        if stream is None or arn not in (None, "", stream.arn):
            raise stream_not_found(name or arn or "")
        return stream

    def get(self, name: str) -> Stream | None:
        """Return the stream of that name, or None."""
        with self._lock:
            return self._streams.get(name)

    def by_arn(self, arn: str) -> Stream | None:
        """Return the stream of that ARN, or None."""
        stream = self.get(arn.rsplit("/", 2)[-2])
        return stream if stream and stream.arn == arn else None

    def change(
        self, stream: Stream, changes: Callable[[Stream], Mapping[str, Any]], version: str = ""
    ) -> Stream:
        """Change properties computed from the current ones and return the stream.

        Nobody changes it in between; an error if it has not the version that is given.
        """
        with self._lock:
            current = self._current(stream, version)
            self._streams[stream.name] = replace(current, **changes(current))
            return self._streams[stream.name]

    def change_version(
        self, stream: Stream, changes: Callable[[Stream], Mapping[str, Any]], version: str = ""
    ) -> Stream:
        """Change properties like `change`, and give the stream a new version."""
        return self.change(stream, lambda now: {**changes(now), "version": new_version()}, version)

    def change_retention(
        self, stream: Stream, hours: Callable[[int], int], version: str = "", **changes: Any
    ) -> Stream:
        """Change the retention; fragments that were not archived stay so."""

        def retained(now: Stream) -> Mapping[str, Any]:
            wanted = hours(now.retention_hours)
            if not 0 <= wanted <= MAX_RETENTION_HOURS:
                message = f"DataRetentionInHours is not from 0 to {MAX_RETENTION_HOURS}"
                raise invalid_argument(message)
            begins = bool(wanted) and not now.retention_hours
            since = self._clock() if begins else now.archived_since
            return {**changes, "retention_hours": wanted, "archived_since": since}

        return self.change_version(stream, retained, version)

    def delete(self, stream: Stream, version: str = "") -> None:
        """Delete a stream; raise an error if it is gone or has another version."""
        with self._lock:
            del self._streams[self._current(stream, version).name]

    def _current(self, stream: Stream, version: str) -> Stream:
        current = self.find(stream.name, stream.arn)
        if version and version != current.version:
            raise version_mismatch(stream.name, version)
        return current

    def all(self) -> list[Stream]:
        """Return every stream, by name."""
        with self._lock:
            return sorted(self._streams.values(), key=lambda stream: stream.name)

    def clear(self) -> None:
        """Forget all streams."""
        with self._lock:
            self._streams.clear()
