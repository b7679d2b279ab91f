"""Messages between the emulator and its worker processes: a JSON head, then bytes."""

import json
import struct
from typing import Any, BinaryIO

Head = dict[str, Any]

_LENGTHS = struct.Struct(">II")


def send(stream: BinaryIO, head: Head, body: bytes | memoryview = b"") -> None:
    """Write one message and flush it."""
    text = json.dumps(head, separators=(",", ":")).encode()
    stream.write(_LENGTHS.pack(len(text), len(body)) + text)
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[Head, bytes] | None:
    """Read one message, or return None when the other side has ended."""
    lengths = _exactly(stream, _LENGTHS.size)
    if lengths is None:
        return None
    head_size, body_size = _LENGTHS.unpack(lengths)
    head = _exactly(stream, head_size)
    body = _exactly(stream, body_size)
    if head is None or body is None:
        return None
    return json.loads(head), body


def _exactly(stream: BinaryIO, size: int) -> bytes | None:
    if size == 0:
        return b""
    data = stream.read(size)
    return data if len(data) == size else None
