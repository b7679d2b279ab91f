"""A proxy between the edge and the laptop AWS that simulates network faults."""

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

Ack = dict[str, Any]
Address = tuple[str, int]
DATE = re.compile(rb"(?i)(\r\ndate: )([^\r]*)")
PUT_MEDIA = b"POST /putMedia "
HERE = ("127.0.0.1", 0)
THREAD = "proxy"
PIECE = 65536


class Cut(Exception):
    """Raised to end a connection without an answer."""


@dataclass(eq=False)
class Link:
    """One connection through the proxy, with its two sockets."""

    near: socket.socket
    far: socket.socket
    is_put_media: bool = False
    rest: bytes = b""
    has_head: bool = False
    acks: list[Ack] = field(default_factory=list)

    def close(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Forwards everything unless told otherwise; `detours` maps real addresses to the proxy's.

    `on_ack` receives each ack of PutMedia and returns what to forward: the ack, another one, or
    None; it may raise Cut. `on_video` receives the number of bytes of each piece of video.
    """

    def __init__(self, *urls: str) -> None:
        self._listeners = {_address(url): socket.create_server(HERE) for url in urls}
        self.detours = {far: listener.getsockname() for far, listener in self._listeners.items()}
        self.on_ack: Callable[[Ack], Ack | None] = lambda ack: ack
        self.on_video: Callable[[int], None] = lambda size: None
        self.date_shift_s = 0.0
        self.is_stalled = threading.Event()
        self.links: list[Link] = []
        self.acks: list[Ack] = []
        self.put_media_calls = 0
        self._is_over = False
        self._lock = threading.Lock()
        self._serve()

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        for listener in self._listeners.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        # Bound but deaf: nobody else has the ports meanwhile.
        self._listeners = {far: _bound(near) for far, near in self.detours.items()}
        self.cut_connections()

    def cut_connections(self) -> None:
        """Close all connections; new ones work."""
        with self._lock:
            links, self.links = self.links, []
        for link in links:
            link.close()

    def mend(self) -> None:
        """Accept connections again after `cut`."""
        for listener in self._listeners.values():
            listener.listen()
        self._serve()

    def close(self) -> None:
        self._is_over = True
        self.is_stalled.clear()
        self.cut()
        for listener in self._listeners.values():
            listener.close()

    def _serve(self) -> None:
        for far, listener in self._listeners.items():
            _start(self._accept, far, listener)

    def _accept(self, far: Address, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                _start(self._open, far, near)

    def _open(self, far: Address, near: socket.socket) -> None:
        link = Link(near, socket.create_connection(far))
        with self._lock:
            self.links.append(link)
        link.is_put_media = near.recv(15, socket.MSG_PEEK | socket.MSG_WAITALL) == PUT_MEDIA
        self.put_media_calls += link.is_put_media
        for pump in (self._out, self._back):
            _start(self._pump, pump, link)

    def _pump(self, pump: Callable[[Link], None], link: Link) -> None:
        with contextlib.suppress(OSError, Cut, ValueError):
            pump(link)
        link.close()

    def _out(self, link: Link) -> None:
        while data := link.near.recv(PIECE):
            if link.is_put_media:
                self.on_video(len(data))
            self._wait()
            link.far.sendall(data)
        link.far.shutdown(socket.SHUT_WR)

    def _back(self, link: Link) -> None:
        while data := link.far.recv(PIECE):
            self._wait()
            for piece in self._changed(link, data):
                link.near.sendall(piece)
        link.near.shutdown(socket.SHUT_WR)

    def _wait(self) -> None:
        while self.is_stalled.is_set() and not self._is_over:
            time.sleep(0.01)

    def _changed(self, link: Link, data: bytes) -> Iterator[bytes]:
        if not link.is_put_media:
            yield self._shifted(data)
            return
        link.rest += data
        if not link.has_head:
            head, end, rest = link.rest.partition(b"\r\n\r\n")
            if not end:
                return
            link.has_head, link.rest = True, rest
            yield self._shifted(head + end)
        yield from self._chunks(link)

    def _chunks(self, link: Link) -> Iterator[bytes]:
        while b"\r\n" in link.rest:
            size_text, _, rest = link.rest.partition(b"\r\n")
            size = int(size_text, 16)
            if len(rest) < size + 2:
                return
            chunk, link.rest = rest[:size], rest[size + 2 :]
            if size == 0:
                yield b"0\r\n\r\n"
                return
            yield self._passed_on(link, json.loads(chunk))

    def _passed_on(self, link: Link, ack: Ack) -> bytes:
        self.acks.append(ack)
        passed = self.on_ack(ack)
        if passed is None:
            return b""
        line = json.dumps(passed).encode() + b"\r\n"
        return b"%x\r\n%b\r\n" % (len(line), line)

    def _shifted(self, data: bytes) -> bytes:
        if not self.date_shift_s:
            return data
        date = formatdate(time.time() + self.date_shift_s, usegmt=True).encode()
        return DATE.sub(rb"\g<1>" + date, data, count=1)


@contextlib.contextmanager
def detoured(detours: dict[Address, Address], is_meant: Callable[[], bool]) -> Iterator[None]:
    """Redirect connections to the proxy; names, headers and signatures stay the real ones."""
    connect = socket.socket.connect

    def lead(self: Any, address: Any) -> None:
        is_ours = is_meant() and threading.current_thread().name != THREAD
        connect(self, detours.get(address, address) if is_ours else address)

    socket.socket.connect = lead  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]


def _start(work: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, name=THREAD, daemon=True).start()


def _bound(address: Address) -> socket.socket:
    """Return a socket that has the address and does not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    return bound


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return socket.gethostbyname(parts.hostname or ""), parts.port or 80
