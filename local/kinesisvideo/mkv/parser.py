"""The incremental parser that splits PutMedia's body into fragments.

A fragment is one cluster. Tags do not name their cluster: tags after a cluster belong to
it when AWS_KINESISVIDEO_END_OF_FRAGMENT follows before the next cluster, else to the next
one. So a fragment may end later than its cluster.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from local.kinesisvideo.mkv import ebml
from local.kinesisvideo.mkv.cluster import Cluster, Tags
from local.kinesisvideo.mkv.header import ErrorId, Header, Limits, MediaError

END_OF_FRAGMENT = "AWS_KINESISVIDEO_END_OF_FRAGMENT"
SERVICE_PREFIX = "AWS_"
# What ends a cluster of unknown size.
_OUTER = {
    ebml.EBML,
    ebml.SEGMENT,
    ebml.SEEK_HEAD,
    ebml.INFO,
    ebml.TRACKS,
    ebml.CLUSTER,
    ebml.TAGS,
    ebml.CUES,
    ebml.CHAPTERS,
    ebml.ATTACHMENTS,
}


@dataclass(frozen=True, slots=True)
class FragmentStarted:
    """The first bytes of a fragment have arrived."""

    timecode: int  # as sent
    start_ms: int


@dataclass(frozen=True, slots=True)
class FragmentFinished:
    """A complete fragment; header and cluster together are a playable document."""

    timecode: int
    start_ms: int
    length_ms: int
    header: bytes
    cluster: bytes | bytearray
    tags: Tags


type Event = FragmentStarted | FragmentFinished


class FragmentParser:
    """Parses the body as it arrives; at most one fragment is in memory."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Start at the beginning of a body."""
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._header = Header(self._limits)
        self._cluster: Cluster | None = None
        self._inside = False  # whether what comes next may belong to the cluster
        self._tags: list[tuple[str, str]] = []
        self._previous: dict[int, int] = {}

    @property
    def timecode(self) -> int | None:
        """Return the timecode of the fragment in progress."""
        return self._cluster.timecode if self._cluster else None

    def feed(self, data: bytes) -> Iterator[Event]:
        """Parse the next bytes of the body and yield the events they cause."""
        self._buffer += data
        try:
            while (events := self._step()) is not None:
                yield from events
        except ebml.EbmlError as error:
            raise MediaError(ErrorId.INVALID_MKV_DATA) from error

    def close(self) -> Iterator[Event]:
        """Yield the last fragment at the end of the body."""
        if self._buffer:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        yield from self._finish()

    def _step(self) -> list[Event] | None:
        """Consume one element; return None when more bytes are needed."""
        cluster = self._cluster if self._inside else None
        if cluster and cluster.remaining == 0:
            self._inside, cluster = False, None
        head = ebml.read_head(self._buffer)
        if head is None:
            return None
        if cluster and (cluster.remaining is not None or head.id not in _OUTER):
            return self._step_inside(cluster, head)
        self._inside = False
        return self._step_outside(head)

    def _take(self, length: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        return taken

    def _step_inside(self, cluster: Cluster, head: ebml.Head) -> list[Event] | None:
        cluster.check(head)
        if len(self._buffer) < head.total:
            return None
        cluster.add(head, memoryview(self._take(head.total)))
        if head.id == ebml.TIMESTAMP and cluster.timecode is not None:
            return [FragmentStarted(cluster.timecode, cluster.start_ms)]
        return []

    def _step_outside(self, head: ebml.Head) -> list[Event] | None:
        if head.id in (ebml.EBML, ebml.SEGMENT, ebml.CLUSTER) and self._cluster:
            return self._finish()  # and meet this head again
        if head.id == ebml.CLUSTER:
            self._open_cluster(head)
            return []
        self._header.check(head)
        length = head.length if head.id == ebml.SEGMENT else head.total
        if len(self._buffer) < length:
            return None
        raw = self._take(length)
        if head.id == ebml.TAGS:
            return self._take_tags(raw, memoryview(raw)[head.length :])
        self._header.take(head, raw)
        return []

    def _take_tags(self, raw: bytes, content: memoryview) -> list[Event]:
        pairs = ebml.read_tags(content)
        service = any(name.startswith(SERVICE_PREFIX) for name, _ in pairs)
        if not self._header.complete and ebml.has_targets(content) and not service:
            self._header.extend(raw)  # the muxer's, about the whole film
            return []
        events: list[Event] = []
        for name, value in pairs:
            if name == END_OF_FRAGMENT:
                events += self._finish(self._tags)
                self._tags = []
            elif len(self._tags) <= 2 * self._limits.tags:  # enough to see too many
                self._tags.append((name, value))
        return events

    def _open_cluster(self, head: ebml.Head) -> None:
        if not self._header.tracks:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        self._header.complete = True
        if head.total > self._limits.fragment_bytes:
            raise MediaError(ErrorId.MAX_FRAGMENT_SIZE_REACHED)
        self._cluster = Cluster(
            tracks=self._header.tracks,
            scale_ns=self._header.scale_ns,
            previous=self._previous,
            remaining=head.size,
            limits=self._limits,
            tags=tuple(self._tags),
        )
        self._tags = []
        self._cluster.data += self._take(head.length)
        self._inside = True

    def _finish(self, tags: Iterable[tuple[str, str]] = ()) -> list[Event]:
        """End the fragment in progress, if there is one."""
        cluster = self._cluster
        if cluster is None:
            return []
        if cluster.timecode is None:
            raise MediaError(ErrorId.INVALID_MKV_DATA)
        length_ms = cluster.finish(tags)
        self._cluster, self._inside = None, False
        return [
            FragmentFinished(
                timecode=cluster.timecode,
                start_ms=cluster.start_ms,
                length_ms=length_ms,
                header=bytes(self._header.data),
                cluster=cluster.data,
                tags=cluster.tags,
            )
        ]
