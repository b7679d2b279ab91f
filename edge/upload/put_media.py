"""One PutMedia call: the video is its body, and acks arrive meanwhile."""

import contextlib
import http.client
import io
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from ..errors import ConnectionLostError, EdgeError, RefusedError
from .acks import Ack, AckParser
from .error_advice import advice
from .full_duplex_socket import FullDuplexSocket

# Errors of PutMedia that a later attempt may not meet.
RETRYABLE_ERRORS = frozenset({"ClientLimitExceededException", "ConnectionLimitExceededException"})


@dataclass(frozen=True, slots=True)
class PutMediaRequest:
    """A signed PutMedia request, without its body."""

    url: str
    headers: dict[str, str]
    # More error names after which a retry may help.
    retryable: frozenset[str] = frozenset()
    ca_file: str | None = None


class PutMediaConnection:
    """An open PutMedia connection.

    The sender's thread writes. A thread of this class reads acks and calls `on_ack`; it stores its
    error in `failure`. It calls `on_change` when something changed that the sender may wait for,
    and `on_date` with the answer's Date and the times of request and answer, in seconds since 1970.
    """

    def __init__(
        self,
        request: PutMediaRequest,
        on_ack: Callable[[Ack], None],
        on_change: Callable[[], None],
        on_date: Callable[[str | None, float, float], None] = lambda date, sent, received: None,
    ) -> None:
        """Connect and send the request's head; raises ConnectionLostError."""
        self.failure: Exception | None = None
        self.is_accepted = False
        self._on_date = on_date
        self._on_ack = on_ack
        self._retryable = request.retryable
        self._on_change = on_change
        try:
            self._socket = FullDuplexSocket(request.url, request.ca_file)
        except OSError as exc:
            raise ConnectionLostError(
                f"cannot connect to {urlsplit(request.url).netloc}: {exc}"
            ) from exc
        self._sent = time.time()
        self._reader = threading.Thread(target=self._read, name="acks", daemon=True)
        self._reader.start()
        try:
            self._write(_head(request))
        except Exception:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        """Send a piece of the body as one chunk."""
        self.check()
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def check(self) -> None:
        """Raise the reading thread's error, if there is one."""
        if self.failure is not None:
            raise self.failure

    def finish(self, wait_s: float) -> None:
        """End the body and wait up to `wait_s` for the end of the answer."""
        self._write(b"0\r\n\r\n")
        self._reader.join(wait_s)

    def close(self) -> None:
        """Close the connection at once."""
        self._socket.shut_down()
        self._reader.join()
        self._socket.close()

    def _write(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as exc:
            # The answer that explains the cut may be arriving now.
            self._reader.join(0.2)
            self.check()
            raise ConnectionLostError(f"the connection broke: {exc}") from exc

    def _read(self) -> None:
        try:
            self._read_answer()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            self.failure = ConnectionLostError(f"the connection broke: {exc!r}")
        except Exception as exc:
            # Any error is raised again in the sender's thread.
            self.failure = exc
        else:
            self.failure = ConnectionLostError("the service ended the connection")
        finally:
            self._on_change()

    def _read_answer(self) -> None:
        response = http.client.HTTPResponse(cast(Any, _SocketReader(self._socket)), method="POST")
        with contextlib.closing(response):
            self._read_acks(response)

    def _read_acks(self, response: http.client.HTTPResponse) -> None:
        response.begin()
        self._on_date(response.headers.get("Date"), self._sent, time.time())
        if response.status != http.HTTPStatus.OK:
            raise _refusal(response, RETRYABLE_ERRORS | self._retryable)
        self.is_accepted = True
        self._on_change()
        parser = AckParser()
        while data := response.read1(65536):
            for ack in parser.feed(data):
                self._on_ack(ack)


class _SocketReader(io.RawIOBase):
    """The received bytes as a file object, for HTTPResponse."""

    def __init__(self, connection: FullDuplexSocket) -> None:
        self._socket = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._socket.receive_into(buffer)


def _head(request: PutMediaRequest) -> bytes:
    # Unsigned, because these describe the connection and not the request.
    own = {
        "Transfer-Encoding": "chunked",
        "Content-Type": "application/json",
        "User-Agent": "whosthere-edge",
    }
    headers = (request.headers | own).items()
    path = urlsplit(request.url).path
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _refusal(response: http.client.HTTPResponse, retryable: frozenset[str]) -> EdgeError:
    kind = response.headers.get("x-amzn-ErrorType") or response.headers.get("x-amz-ErrorType")
    name = (kind or response.reason or "").split(":")[0]
    text = f"PutMedia was refused: {response.status} {name}. {_message(response)}".rstrip()
    if response.status >= 500 or response.status == 429 or name in retryable:
        return ConnectionLostError(text)
    return RefusedError(f"{text} {advice(name)}".rstrip())


def _message(response: http.client.HTTPResponse) -> str:
    with contextlib.suppress(ValueError, AttributeError, OSError):
        body = json.loads(response.read(4096))
        return str(body.get("Message") or body.get("message") or "")
    return ""
