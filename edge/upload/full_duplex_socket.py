"""A TCP or TLS connection that one thread reads while another writes."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

CONNECT_S = 5.0
# A peer that takes nothing for so long is gone, whatever TCP believes.
STALLED_S = 15.0


class Wire:
    """Both directions of one connection at once.

    OpenSSL allows one call at a time per connection, and a reader waits nearly all
    its life. So the socket never blocks: `_turn` is held only for calls that return
    at once (by the sender thread and the ack reader), the waiting happens in select().
    """

    def __init__(self, url: str, ca_file: str | None) -> None:
        self._socket = _connect(url, ca_file)
        self._socket.setblocking(False)
        self._turn = threading.Lock()

    def receive_into(self, buffer: Any) -> int:
        """Wait for bytes, as long as it takes; 0 is the end."""
        return self._when_ready(self._socket.recv_into, buffer, is_write=False)

    def send(self, data: bytes) -> None:
        """Hand over all of it, or raise when the peer takes nothing for too long."""
        rest = memoryview(data)
        while rest:
            sent = self._when_ready(self._socket.send, rest, is_write=True)
            rest = rest[sent:]

    def hang_up(self) -> None:
        """End both directions, which also wakes the reader."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; call it when nobody reads any more."""
        self._socket.close()

    def _when_ready(self, call: Callable[[Any], int], data: Any, *, is_write: bool) -> int:
        while True:
            # TLS may have to read in order to write, and the other way round.
            try:
                with self._turn:
                    return call(data)
            except ssl.SSLWantReadError:
                waits_to_write = False
            except ssl.SSLWantWriteError:
                waits_to_write = True
            except BlockingIOError:
                waits_to_write = is_write
            self._wait(waits_to_write, STALLED_S if is_write else None)

    def _wait(self, waits_to_write: bool, timeout_s: float | None) -> None:
        reading = [] if waits_to_write else [self._socket]
        writing = [self._socket] if waits_to_write else []
        if not any(select.select(reading, writing, [], timeout_s)):
            raise TimeoutError(f"the service took nothing for {timeout_s} s")


def _connect(url: str, ca_file: str | None) -> socket.socket:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if is_tls else 80))
    plain = socket.create_connection(address, timeout=CONNECT_S)
    # A frame is sent when it is there, not when a packet is full.
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not is_tls:
        return plain
    try:
        context = ssl.create_default_context(cafile=ca_file)
        return context.wrap_socket(plain, server_hostname=address[0])
    except OSError:
        plain.close()
        raise
