"""One PutMedia call: the video is its body, and acks come back meanwhile."""

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
from .full_duplex_socket import Wire

# Errors of PutMedia that pass by themselves.
PASSING = frozenset({"ClientLimitExceededException", "ConnectionLimitExceededException"})


@dataclass(frozen=True, slots=True)
class Request:
    """A signed PutMedia request; its body is yet to come."""

    url: str
    headers: dict[str, str]
    # Names of errors after which asking again may help, besides those that pass anyway.
    passing: frozenset[str] = frozenset()
    ca_file: str | None = None


class PutMedia:
    """An open PutMedia connection.

    The sender's thread writes; one thread of its own reads acks and calls `on_ack`.
    What goes wrong there is kept in `failure`; `on_change` is called whenever
    something has changed that the sender may be waiting for; `on_date` with the Date of
    the answer and when the request was sent and answered, in seconds since 1970.
    """

    def __init__(
        self,
        request: Request,
        on_ack: Callable[[Ack], None],
        on_change: Callable[[], None],
        on_date: Callable[[str | None, float, float], None] = lambda date, sent, received: None,
    ) -> None:
        self.failure: Exception | None = None
        self.is_accepted = False
        self._on_date = on_date
        self._on_ack = on_ack
        self._passing = request.passing
        self._on_change = on_change
        try:
            self._wire = Wire(request.url, request.ca_file)
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
        """Send one piece of the body."""
        self.check()
        self._write(b"%x\r\n%b\r\n" % (len(data), data))

    def check(self) -> None:
        """Raise what has gone wrong on the reading side, if anything has."""
        if self.failure is not None:
            raise self.failure

    def finish(self, wait_s: float) -> None:
        """End the body and let the service end its answer."""
        self._write(b"0\r\n\r\n")
        self._reader.join(wait_s)

    def close(self) -> None:
        """Hang up."""
        self._wire.hang_up()
        self._reader.join()
        self._wire.close()

    def _write(self, data: bytes) -> None:
        try:
            self._wire.send(data)
        except OSError as exc:
            # An answer that explains the cut may just be arriving.
            self._reader.join(0.2)
            self.check()
            raise ConnectionLostError(f"the connection broke: {exc}") from exc

    def _read(self) -> None:
        try:
            self._read_answer()
        except (OSError, ValueError, http.client.HTTPException) as exc:
            self.failure = ConnectionLostError(f"the connection broke: {exc!r}")
        except Exception as exc:
            # Whatever it is, it is raised anew in the sender's thread.
            self.failure = exc
        else:
            self.failure = ConnectionLostError("the service ended the connection")
        finally:
            self._on_change()

    def _read_answer(self) -> None:
        response = http.client.HTTPResponse(cast(Any, _Incoming(self._wire)), method="POST")
        with contextlib.closing(response):
            self._read_acks(response)

    def _read_acks(self, response: http.client.HTTPResponse) -> None:
        response.begin()
        self._on_date(response.headers.get("Date"), self._sent, time.time())
        if response.status != http.HTTPStatus.OK:
            raise _refusal(response, PASSING | self._passing)
        self.is_accepted = True
        self._on_change()
        parser = AckParser()
        while data := response.read1(65536):
            for ack in parser.feed(data):
                self._on_ack(ack)


class _Incoming(io.RawIOBase):
    """What arrives on the wire, as the file that HTTPResponse makes of a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive_into(buffer)


def _head(request: Request) -> bytes:
    # Unsigned, because they are about this connection and not about the video.
    own = {
        "Transfer-Encoding": "chunked",
        "Content-Type": "application/json",
        "User-Agent": "whosthere-edge",
    }
    headers = (request.headers | own).items()
    path = urlsplit(request.url).path
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _refusal(response: http.client.HTTPResponse, passing: frozenset[str]) -> EdgeError:
    kind = response.headers.get("x-amzn-ErrorType") or response.headers.get("x-amz-ErrorType")
    name = (kind or response.reason or "").split(":")[0]
    text = f"PutMedia was refused: {response.status} {name}. {_message(response)}".rstrip()
    if response.status >= 500 or response.status == 429 or name in passing:
        return ConnectionLostError(text)
    return RefusedError(f"{text} {advice(name)}".rstrip())


def _message(response: http.client.HTTPResponse) -> str:
    with contextlib.suppress(ValueError, AttributeError, OSError):
        body = json.loads(response.read(4096))
        return str(body.get("Message") or body.get("message") or "")
    return ""
