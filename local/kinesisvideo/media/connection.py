"""One HTTP exchange of the media plane, over ASGI."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from local.kinesisvideo import errors
from local.kinesisvideo.errors import KinesisVideoError, invalid_argument

MAX_REQUEST_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
BODY_SECONDS = 20.0  # for the whole of a request that is no PutMedia

type Message = dict[str, Any]


class Connection:
    """Reads the request and writes the response, at the same time if needed."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Wrap the channels of an ASGI request."""
        self._receive = receive
        self._send = send
        self._waiting: asyncio.Task[Message] | None = None
        self._begun = False
        self._ended = False
        self._client_left = False

    @property
    def client_left(self) -> bool:
        """Return whether the client has disconnected, as far as messages were received."""
        if self._waiting is not None and self._waiting.done():
            self._client_left = self._waiting.result()["type"] == "http.disconnect"
        return self._client_left

    def _listen(self) -> asyncio.Task[Message]:
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._receive())
        return self._waiting

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and headers at once."""
        self._begun = True
        self._listen()
        # boto3 reads the request id from the first header, AWS's pages document the second.
        request_id = str(uuid.uuid4())
        named = {"x-amzn-requestid": request_id, "x-amz-requestid": request_id, **headers}
        raw = [(name.encode(), value.encode()) for name, value in named.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, as one HTTP chunk unless it is large.

        What a slow reader leaves of a large one waits here, not in the socket's queue.
        """
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """Send the end of the response, and read and discard the rest of the request meanwhile.

        The server (hypercorn) queues few messages and closes a connection only when it
        has room to say so: a body that nobody reads would keep it open for ever.
        """
        self._ended = True
        discarding = asyncio.ensure_future(self._discard())
        try:
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            discarding.cancel()
            self.close()

    async def _discard(self) -> None:
        while not self.client_left:
            await self.read()

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole response, unless one has started."""
        if self._begun:
            return
        await self.begin(status, {**headers, "content-length": str(len(body))})
        await self.write(body)
        await self.end()

    async def abort(self) -> None:
        """End a started response, or answer InternalFailure."""
        if not self._begun:
            failure = KinesisVideoError("InternalFailure", "The request failed", 500)
            await self.answer(*errors.error_response(failure))
        elif not self._ended:
            await self.end()

    async def read(self, timeout: float | None = None) -> Message | None:
        """Return the next message of the request, or None when none arrives in time."""
        waiting = self._listen()
        done, _ = await asyncio.wait({waiting}, timeout=timeout)
        if not done or self.client_left:
            return None
        self._waiting = None
        return waiting.result()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body until it ends or the client disconnects."""
        more = True
        while more and not self.client_left:
            message = await self.read() or {}
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        """Wait for an event or so many seconds; return False when the client disconnects first."""
        waiting = self._listen()
        happened = asyncio.ensure_future(event.wait())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({waiting, happened}, timeout=timeout, return_when=first)
        finally:
            happened.cancel()
        return not self.client_left

    def close(self) -> None:
        """Stop receiving messages from the client."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


async def read_body(connection: Connection) -> bytes:
    """Return the whole body of a request; raise an error if it is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in connection.body():
                body += piece
                if len(body) > MAX_REQUEST_BYTES:
                    raise invalid_argument("The request is too large")
    except TimeoutError as error:
        message = f"The request's body did not come within {BODY_SECONDS:g} seconds"
        raise KinesisVideoError("RequestTimeoutException", message, 408) from error
    return bytes(body)
