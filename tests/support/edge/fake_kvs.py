"""A fake Kinesis Video Streams on a real socket, with programmable faults."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
TIMESTAMP, SIMPLE_BLOCK, TAGS = 0xE7, 0xA3, 0x1254C367
TAG, SIMPLE_TAG, TAG_NAME, TAG_STRING = 0x7373, 0x67C8, 0x45A3, 0x4487
INFO, TRACKS = 0x1549A966, 0x1654AE6B
END_OF_FRAGMENT = "AWS_KINESISVIDEO_END_OF_FRAGMENT"
CONTAINERS = {TAGS, TAG, SIMPLE_TAG}


def read_size(data: bytes, at: int) -> tuple[int | None, int]:
    """Return an element's size, None if unknown, and where its content begins."""
    octets = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + octets], "big") & ((1 << 7 * octets) - 1)
    is_unknown = value == (1 << 7 * octets) - 1
    return (None if is_unknown else value), at + octets


def elements(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield (id, content, end) of complete elements; those of unknown size are entered."""
    at = 0
    with contextlib.suppress(IndexError):
        while at < len(data):
            octets = 9 - data[at].bit_length()
            identity = int.from_bytes(data[at : at + octets], "big")
            size, start = read_size(data, at + octets)
            end = start if size is None else start + size
            if end > len(data):
                return
            yield identity, data[start:end], end
            at = end


def tag_names(content: bytes) -> list[str]:
    """Return the names of the tags in a Tags element."""
    names = []
    for identity, inner, _ in elements(content):
        if identity in CONTAINERS:
            names += tag_names(inner)
        elif identity == TAG_NAME:
            names.append(inner.decode())
    return names


@dataclass
class Connection:
    """What one PutMedia connection has received, cluster by cluster."""

    headers: dict[str, str]
    body: bytes = b""
    clusters: dict[int, list[bytes]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    is_ended: bool = False
    unread: bytes = b""

    def take(self, data: bytes) -> Iterator[str]:
        """Parse received data; yield the name of each relevant event."""
        self.body += data
        self.unread += data
        done = 0
        for identity, content, end in elements(self.unread):
            done = end
            if identity == TIMESTAMP:
                self.clusters[int.from_bytes(content, "big")] = []
                yield "cluster"
            elif identity == SIMPLE_BLOCK:
                self.clusters[self.timecode].append(content)
                yield "frame"
            elif identity == TAGS:
                yield from self._take_tags(tag_names(content))
        self.unread = self.unread[done:]

    def _take_tags(self, names: list[str]) -> Iterator[str]:
        self.tags += names
        if END_OF_FRAGMENT in names:
            self.whole.append(self.timecode)
            yield "end"

    @property
    def timecode(self) -> int:
        """Return the current cluster's timecode."""
        return list(self.clusters)[-1]


class Cut(Exception):
    """Raised to close the connection without an answer."""


class Call(socketserver.StreamRequestHandler):
    """One request; PutMedia's acks are sent while its body arrives."""

    server: "KinesisVideo"

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        headers = dict(iter(self._header, None))
        self.server.calls.append(path)
        if path == "/putMedia":
            with contextlib.suppress(Cut, OSError):
                self._put_media(headers)
            return
        self.rfile.read(int(headers.get("content-length", 0)))
        self._answer(*self.server.control(path))

    def ack(self, event: str, timecode: int | None = None, **more: object) -> None:
        fields = {"EventType": event, "FragmentTimecode": timecode, **more}
        line = json.dumps({k: v for k, v in fields.items() if v is not None}) + "\r\n"
        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line.encode()))

    def store(self, timecode: int) -> None:
        for event in ("BUFFERING", "RECEIVED", "PERSISTED"):
            self.ack(event, timecode, FragmentNumber="9" * 47)

    def cut(self) -> None:
        raise Cut

    def _header(self) -> tuple[str, str] | None:
        line = self.rfile.readline().decode().strip()
        name, _, value = line.partition(":")
        return (name.lower(), value.strip()) if line else None

    def _answer(self, status: int, body: dict[str, object], error: str = "") -> None:
        data = json.dumps(body).encode()
        self.wfile.write(
            b"HTTP/1.1 %d Said\r\nConnection: close\r\n"
            b"x-amzn-ErrorType: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (status, error.encode(), len(data), data)
        )

    def _put_media(self, headers: dict[str, str]) -> None:
        connection = Connection(headers)
        self.server.connections.append(connection)
        number = len(self.server.connections) - 1
        if refusal := self.server.refusals.get(number):
            self._answer(*refusal)
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        react = self.server.reactions.get(number, stores)
        while head := self.rfile.readline():
            size = int(head, 16)
            if size == 0:
                connection.is_ended = True
                self.wfile.write(b"0\r\n\r\n")
                return
            for event in connection.take(self.rfile.read(size)):
                react(self, event, connection)
            self.rfile.readline()


Reaction = Callable[[Call, str, Connection], None]


def stores(call: Call, event: str, connection: Connection) -> None:
    """Acknowledge each fragment when it is complete, as the service does."""
    if event == "end":
        call.store(connection.timecode)


class KinesisVideo(socketserver.ThreadingTCPServer):
    """The fake service; `reactions` and `refusals` set how its nth connection behaves."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.retention_hours = 24
        self.calls: list[str] = []
        self.connections: list[Connection] = []
        self.reactions: dict[int, Reaction] = {}
        self.refusals: dict[int, tuple[int, dict[str, object], str]] = {}
        self.failures: dict[str, tuple[int, dict[str, object], str]] = {}

    def control(self, path: str) -> tuple[int, dict[str, object], str]:
        if path in self.failures:
            return self.failures[path]
        if path == "/describeStream":
            hours = {"DataRetentionInHours": self.retention_hours}
            return 200, {"StreamInfo": {"Status": "ACTIVE", **hours}}, ""
        return 200, {"DataEndpoint": self.url}, ""

    @property
    def stored(self) -> list[int]:
        """Return the complete fragments in order of arrival, including repeats."""
        return [t for connection in self.connections for t in connection.whole]


@contextlib.contextmanager
def running() -> Iterator[KinesisVideo]:
    """Serve on a free port while the block runs."""
    with KinesisVideo() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
