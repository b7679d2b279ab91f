"""Split GetMedia's answer into fragments, each with its header and the service's tags."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from local.kinesisvideo.mkv import ebml

PREFIX = "AWS_KINESISVIDEO_"
LARGEST = 64 * 1024 * 1024  # more than PutMedia takes for one fragment


class GetMediaError(Exception):
    """GetMedia sent invalid media or an error."""


@dataclass(frozen=True, slots=True)
class ReceivedFragment:
    """One fragment with its header; times are seconds since the epoch at its start."""

    number: str
    server: float
    producer: float
    film: bytes
    timecode: int  # of its cluster, in the units of the film's own clock


@dataclass(slots=True)
class FragmentSplitter:
    """Splits bytes as they arrive and yields each fragment once its cluster is complete."""

    _buffer: bytearray = field(default_factory=bytearray)
    _film: bytearray = field(default_factory=bytearray)
    _tags: dict[str, str] = field(default_factory=dict)
    _header: int = 0  # how much of the film comes before its cluster; 0 until there is one
    _open: bool = False  # inside a cluster that does not say how long it is

    def feed(self, data: bytes) -> Iterator[ReceivedFragment]:
        """Yield the fragments that these bytes complete."""
        self._buffer += data
        if len(self._buffer) + len(self._film) > LARGEST:
            raise GetMediaError("a fragment is too large")
        try:
            while (head := ebml.read_head(self._buffer)) is not None:
                if self._open and head.id not in ebml.IN_CLUSTER:
                    self._open = False
                    yield self._finish()
                length = head.length if head.id == ebml.SEGMENT else head.total
                if len(self._buffer) < length:
                    return
                yield from self._take(head, length)
        except ebml.EbmlError as error:
            raise GetMediaError(str(error)) from error

    def _take(self, head: ebml.Head, length: int) -> Iterator[ReceivedFragment]:
        raw = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        if head.id == ebml.EBML:
            self._film.clear()
            self._tags, self._header = {}, 0
        if head.id == ebml.CLUSTER:
            del self._film[self._header or len(self._film) :]
            self._header = len(self._film)
        if head.id == ebml.TAGS:
            self._take_tags(memoryview(raw)[head.length :])
        self._film += raw
        if head.id == ebml.CLUSTER:
            self._open = head.size is None
            if not self._open:
                yield self._finish()

    def _take_tags(self, content: memoryview) -> None:
        tags = dict(ebml.read_tags(content))
        if f"{PREFIX}ERROR_CODE" in tags:
            raise GetMediaError(f"GetMedia failed with error {tags[f'{PREFIX}ERROR_CODE']}")
        self._tags.update(tags)

    def _finish(self) -> ReceivedFragment:
        film = bytes(self._film)
        try:
            return ReceivedFragment(
                number=self._tags[f"{PREFIX}FRAGMENT_NUMBER"],
                server=float(self._tags[f"{PREFIX}SERVER_TIMESTAMP"]),
                producer=float(self._tags[f"{PREFIX}PRODUCER_TIMESTAMP"]),
                film=film,
                timecode=_timecode(memoryview(film)[self._header :]),
            )
        except (KeyError, ValueError) as error:
            raise GetMediaError("a fragment without the service's tags") from error


def _timecode(cluster: memoryview) -> int:
    """Return the timecode that a cluster declares."""
    head = ebml.read_head(cluster)
    at = head.length if head else 0
    while (child := ebml.read_head(cluster, at)) is not None:
        if child.id == ebml.TIMESTAMP:
            return ebml.unsigned(cluster[at + child.length : at + child.total])
        at += child.total
    raise GetMediaError("a fragment without a timecode")
