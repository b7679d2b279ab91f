"""The size limit of requests to our services.

MiniStack reads whole requests before it checks their signatures. The largest valid one is
CompareFaces with two pictures of 5 MB in Base64; Kinesis Video's limit is that of its media
port. A larger request is read to its end, so that the sender gets the answer, and discarded.
"""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """The size limit of one service and the error above it."""

    target: bytes  # what its X-Amz-Target begins with
    most_bytes: int
    error: str
    message: str
    content_type: bytes


LIMITS = {
    b"rekognition": Limit(
        b"RekognitionService.",
        16 * MEGABYTE,
        "ImageTooLargeException",
        "Request image is too large",
        b"application/x-amz-json-1.1",
    ),
    b"kinesisvideo": Limit(
        b"KinesisVideo",
        MEGABYTE,
        "InvalidArgumentException",
        "The request is too large",
        b"application/json",
    ),
}
# The service in the scope of a signature, by which a request without a target is routed.
SIGNED_FOR = re.compile(rb"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class SizeLimit:
    """An ASGI middleware that refuses requests above their service's limit."""

    def __init__(self, application: Application) -> None:
        """Limit the requests of an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on if it fits the limit, else refuse it."""
        limit = _limit_of(scope)
        if limit is None:
            await self._application(scope, receive, send)
            return
        messages, size = [], 0
        while size <= limit.most_bytes:
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if not messages[-1].get("more_body"):
                await self._application(scope, _replay(messages, receive), send)
                return
        messages.clear()
        await _drain(receive)
        await _refuse(send, limit)


def _limit_of(scope: Scope) -> Limit | None:
    """Return the limit of the service that a request is routed to; None for MiniStack's own."""
    if scope["type"] != "http":
        return None
    headers = {name.lower(): value for name, value in scope["headers"]}
    target = headers.get(b"x-amz-target", b"")
    for limit in LIMITS.values():
        if target.startswith(limit.target):
            return limit
    signed = SIGNED_FOR.search(headers.get(b"authorization", b""))
    return LIMITS.get(signed[1]) if signed else None


def _replay(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that replays the received messages and then continues."""
    kept = iter(messages)

    async def receive_again() -> Message:
        message = next(kept, None)
        return await receive() if message is None else message

    return receive_again


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _refuse(send: Send, limit: Limit) -> None:
    answer = {"__type": limit.error, "Message": limit.message, "message": limit.message}
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", limit.content_type),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-errortype", limit.error.encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
