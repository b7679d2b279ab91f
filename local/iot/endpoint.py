"""The credential provider's port: mutual TLS, one request, keys or a refusal.

`GET /role-aliases/ALIAS/credentials` with the header `x-amzn-iot-thingname`. The
handshake fails without a certificate of our authority.
"""

import json
import re
import socket
import ssl
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.iot.credentials import CredentialsRefused, credentials
from local.ministack import iot

PATH = re.compile(r"/role-aliases/([^/?]+)/credentials")
# Of a handshake or request; a slower device is disconnected.
TIMEOUT_SECONDS = 10


class CredentialProvider:
    """Serves one listening socket from a thread of its own; each connection has another."""

    def __init__(self, listener: socket.socket) -> None:
        """Prepare to serve a listening socket."""
        self._server = _Server(listener)
        self.address = f"localhost:{listener.getsockname()[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        )

    def start(self, authority: Path) -> None:
        """Write the certificate authority's file and start to answer; call it after `configure`."""
        authority.write_text(iot.authority())
        self._server.context = _context()
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    context: ssl.SSLContext

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), _Request, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake in the connection's own thread, so that a slow client blocks no other."""
        request.settimeout(TIMEOUT_SECONDS)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:
            return  # no certificate, a foreign one, or gone

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client's errors; the default would print them."""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "laptop-aws"
    sys_version = ""

    def do_GET(self) -> None:
        found = PATH.fullmatch(self.path)
        if found is None:
            self._answer(404, {"message": "Not Found"}, "ResourceNotFoundException")
            return
        certificate = self.connection.getpeercert(binary_form=True)
        alias = urllib.parse.unquote(found[1])
        try:
            keys = credentials(certificate, alias, self.headers.get("x-amzn-iot-thingname"))
        except CredentialsRefused as refused:
            self._answer(refused.status, {"message": refused.message}, refused.code)
        else:
            self._answer(200, {"credentials": keys})

    def _answer(self, status: int, content: dict[str, Any], error: str = "") -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-ErrorType", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the decision log has an entry."""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=iot.authority())
    with tempfile.TemporaryDirectory() as folder:  # load_cert_chain takes files only
        chain = Path(folder) / "chain.pem"
        chain.touch(mode=0o600)
        chain.write_text("".join(iot.server_certificate()))
        context.load_cert_chain(chain)
    return context
