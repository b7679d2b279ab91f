"""A TCP or TLS socket that one thread reads while another writes."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 5.0
# A peer that accepts no data for so long is gone, even if TCP has not noticed.
WRITE_TIMEOUT_S = 15.0


class FullDuplexSocket:
    """A socket that is read and written at the same time.

    OpenSSL allows one call at a time per connection, and a reader waits nearly always. So the
    socket is non-blocking: `_lock` is held only for calls that return at once (the sender's thread
    and the ack reader call them), and waiting happens in select().
    """

    def __init__(self, url: str, ca_file: str | None) -> None:
        """Connect to the URL's host, with TLS for https; raises OSError."""
        self._socket = _connect(url, ca_file)
        self._socket.setblocking(False)
        self._lock = threading.Lock()

    def receive_into(self, buffer: Any) -> int:
        """Wait for data without a time limit; return its size, 0 at the end."""
        return self._when_ready(self._socket.recv_into, buffer, is_write=False)

    def send(self, data: bytes) -> None:
        """Send all data; raise TimeoutError if the peer accepts none for too long."""
        rest = memoryview(data)
        while rest:
            sent = self._when_ready(self._socket.send, rest, is_write=True)
            rest = rest[sent:]

    def shut_down(self) -> None:
        """Shut both directions down, which also wakes the reader."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; call it when no thread reads any more."""
        self._socket.close()

    def _when_ready(self, call: Callable[[Any], int], data: Any, *, is_write: bool) -> int:
        while True:
            # TLS may need to read before it can write, and the reverse.
            try:
                with self._lock:
                    return call(data)
            except ssl.SSLWantReadError:
                waits_to_write = False
            except ssl.SSLWantWriteError:
                waits_to_write = True
            except BlockingIOError:
                waits_to_write = is_write
            self._wait(waits_to_write, WRITE_TIMEOUT_S if is_write else None)

    def _wait(self, waits_to_write: bool, timeout_s: float | None) -> None:
        reading = [] if waits_to_write else [self._socket]
        writing = [self._socket] if waits_to_write else []
        if not any(select.select(reading, writing, [], timeout_s)):
            raise TimeoutError(f"the service took nothing for {timeout_s} s")


def _connect(url: str, ca_file: str | None) -> socket.socket:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if is_tls else 80))
    plain = socket.create_connection(address, timeout=CONNECT_TIMEOUT_S)
    # Send each frame at once instead of waiting for a full packet.
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not is_tls:
        return plain
    try:
        context = ssl.create_default_context(cafile=ca_file)
        return context.wrap_socket(plain, server_hostname=address[0])
    except OSError:
        plain.close()
        raise
