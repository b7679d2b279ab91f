"""EBML, the binary form of Matroska: reading and writing single elements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

EBML = 0x1A45DFA3
DOC_TYPE = 0x4282
SEGMENT = 0x18538067
SEEK_HEAD = 0x114D9B74
INFO = 0x1549A966
TIMESTAMP_SCALE = 0x2AD7B1
TRACKS = 0x1654AE6B
TRACK_ENTRY = 0xAE
TRACK_NUMBER = 0xD7
TRACK_TYPE = 0x83
CODEC_ID = 0x86
DEFAULT_DURATION = 0x23E383
CUES = 0x1C53BB6B
CHAPTERS = 0x1043A770
ATTACHMENTS = 0x1941A469
CLUSTER = 0x1F43B675
TIMESTAMP = 0xE7
POSITION = 0xA7
PREVIOUS_SIZE = 0xAB
SIMPLE_BLOCK = 0xA3
BLOCK_GROUP = 0xA0
BLOCK = 0xA1
TAGS = 0x1254C367
TAG = 0x7373
TARGETS = 0x63C0
SIMPLE_TAG = 0x67C8
TAG_NAME = 0x45A3
TAG_STRING = 0x4487
TAG_BINARY = 0x4485
VOID = 0xEC
CRC_32 = 0xBF
IN_CLUSTER = {TIMESTAMP, POSITION, PREVIOUS_SIZE, SIMPLE_BLOCK, BLOCK_GROUP, VOID, CRC_32}

MAX_HEAD_BYTES = 12  # four bytes of id and eight of size
# Of one element. Real ones have some dozens; parsing millions would block other sessions.
MAX_CHILDREN = 4096
SEGMENT_HEAD = bytes.fromhex("1853806701ffffffffffffff")  # of unknown size


class EbmlError(Exception):
    """The bytes are not valid EBML."""


@dataclass(frozen=True, slots=True)
class Head:
    """An element's id and the size of its content; None when it is unknown."""

    id: int
    size: int | None
    length: int  # of the head itself

    @property
    def total(self) -> int:
        """Return the element's length, or the head's alone when the size is unknown."""
        return self.length + (self.size or 0)


def read_head(data: bytes | bytearray | memoryview, at: int = 0) -> Head | None:
    """Return the head of the element at an offset, or None when more bytes are needed."""
    available = len(data) - at
    if available < 1:
        return None
    id_length = 9 - data[at].bit_length()
    if id_length > 4:
        raise EbmlError("an element's id is longer than four bytes")
    if available < id_length + 1:
        return None
    size_length = 9 - data[at + id_length].bit_length()
    if size_length > 8:
        raise EbmlError("an element's size is longer than eight bytes")
    length = id_length + size_length
    if available < length:
        return None
    element_id = int.from_bytes(data[at : at + id_length])
    size = _vint_value(data[at + id_length : at + length])
    return Head(element_id, size, length)


def _vint_value(data: bytes | bytearray | memoryview) -> int | None:
    """Decode a variable-length integer; None when all its bits are set."""
    all_ones = (1 << 7 * len(data)) - 1
    value = int.from_bytes(data) & all_ones
    return None if value == all_ones else value


def children(
    data: bytes | bytearray | memoryview,
) -> Iterator[tuple[int, memoryview]]:
    """Yield the id and content of each element inside a complete master element."""
    view, at = memoryview(data), 0
    for _ in range(MAX_CHILDREN):
        if at == len(view):
            return
        head = read_head(view, at)
        if head is None or head.size is None or at + head.total > len(view):
            raise EbmlError("an element is longer than its parent")
        yield head.id, view[at + head.length : at + head.total]
        at += head.total
    if at < len(view):
        raise EbmlError("an element has too many children")


def unsigned(data: memoryview) -> int:
    """Decode an unsigned integer element."""
    if len(data) > 8:
        raise EbmlError("an integer is longer than eight bytes")
    return int.from_bytes(data)


def text(data: memoryview) -> str:
    """Decode a string element, which may be padded with zeros."""
    try:
        return bytes(data).split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise EbmlError("a string is not UTF-8") from error


def read_block(data: memoryview) -> tuple[int, int, int]:
    """Return a block's track, its time relative to the cluster, and its flags."""
    width = 9 - data[0].bit_length() if len(data) else 9
    if width > 8 or len(data) < width + 3:
        raise EbmlError("a block is shorter than its own head")
    track = _vint_value(data[:width])
    if track is None:
        raise EbmlError("a block's track number is unknown")
    relative = int.from_bytes(data[width : width + 2], signed=True)
    return track, relative, data[width + 2]


def element(element_id: int, content: bytes, *, size_length: int = 4) -> bytes:
    """Encode an element, its size in a given number of bytes."""
    marked = len(content) | 1 << 7 * size_length
    id_length = (element_id.bit_length() + 7) // 8
    return element_id.to_bytes(id_length) + marked.to_bytes(size_length) + content


def tags(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Encode a Tags element with one Tag that holds a SimpleTag per pair."""
    simple = b"".join(
        element(
            SIMPLE_TAG,
            element(TAG_NAME, name.encode()) + element(TAG_STRING, value.encode()),
        )
        for name, value in pairs
    )
    return element(TAGS, element(TAG, simple))


def read_tags(content: bytes | memoryview) -> list[tuple[str, str]]:
    """Return all names and values in a Tags element, in order."""
    return [
        pair
        for tag_id, tag in children(content)
        if tag_id == TAG
        for simple_id, simple in children(tag)
        if simple_id == SIMPLE_TAG
        for pair in [_simple_tag(simple)]
    ]


def _simple_tag(content: memoryview) -> tuple[str, str]:
    name, value = "", ""
    for element_id, data in children(content):
        if element_id == TAG_NAME:
            name = text(data)
        elif element_id in (TAG_STRING, TAG_BINARY):
            value = text(data)
    return name, value


def has_targets(content: bytes | memoryview) -> bool:
    """Return whether a Tags element says what it is about, as a muxer's own tags do."""
    return any(
        inner_id == TARGETS
        for tag_id, tag in children(content)
        if tag_id == TAG
        for inner_id, _ in children(tag)
    )
