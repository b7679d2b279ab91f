"""Forward connections of this machine's containers to the laptop AWS.

`sam local invoke` runs a function in a container on Docker's bridge. The relay listens on
the bridge's gateway address, which only this machine and its containers can reach, and hands
every byte on to the same port of the loopback interface. The guard and all signatures stay
in force. A container reaches it as `localhost` (`--add-host localhost:host-gateway`), so that
the Host it sends is a loopback one.
"""

import contextlib
import ipaddress
import json
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator

BRIDGE = "bridge"  # the network Docker puts a container on that asks for none
CHUNK = 65536


def gateway() -> str | None:
    """Return the host's address on Docker's bridge, or None without Docker."""
    command = ["docker", "network", "inspect", BRIDGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        found = json.loads(done.stdout or "[]")[0]["IPAM"]["Config"][0]
        # Docker leaves the gateway out where it chose it itself: the subnet's first address.
        subnet = ipaddress.ip_network(found["Subnet"])
        return str(found.get("Gateway") or next(subnet.hosts()))
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError):
        return None


@contextlib.contextmanager
def relaying(address: str, ports: list[int]) -> Iterator[None]:
    """Forward connections to these ports of `address` until the block ends."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            relay = stack.enter_context(_Relay((address, port), _Connection))
            threading.Thread(target=relay.serve_forever, args=(0.1,), daemon=True).start()
            stack.callback(relay.end)
        yield


class _Relay(socketserver.ThreadingTCPServer):
    """One port and its open connections, which the end cuts off."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type["_Connection"]) -> None:
        super().__init__(address, handler)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def end(self) -> None:
        """Accept no more connections and cut the open ones."""
        self.shutdown()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def holding(self, *sockets: socket.socket) -> Iterator[None]:
        """Register the sockets as open while the block runs."""
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)


class _Connection(socketserver.BaseRequestHandler):
    """One connection of a container and its counterpart on the loopback interface."""

    server: _Relay

    def handle(self) -> None:
        """Forward bytes in both directions until both ends are done."""
        port = self.server.server_address[1]
        outer: socket.socket = self.request
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)) as inner,
            self.server.holding(outer, inner),
        ):
            back = threading.Thread(target=_pipe, args=(inner, outer))
            back.start()
            _pipe(outer, inner)
            back.join()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
