"""A bound on what is kept in memory of a request to Rekognition.

The largest that can be right is CompareFaces with two pictures of 5 MB in Base64. What goes beyond
can only be too large a picture: it is read to its end, so that the sender hears the answer, but
not kept.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

TARGET = b"RekognitionService."
MOST_BYTES = 16 * 1024 * 1024
ANSWER = json.dumps(
    {"__type": "ImageTooLargeException", "Message": "Request image is too large"}
).encode()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class SizeLimit:
    """An ASGI application that hands on a request to Rekognition only if it fits."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_bounded(scope):
            await self._application(scope, receive, send)
            return
        messages, size = [], 0
        while size <= MOST_BYTES:
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if not messages[-1].get("more_body"):
                await self._application(scope, _again(messages, receive), send)
                return
        messages.clear()
        await _drain(receive)
        await _refuse(send)


def _is_bounded(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    return any(
        name.lower() == b"x-amz-target" and value.startswith(TARGET)
        for name, value in scope["headers"]
    )


def _again(messages: list[Message], receive: Receive) -> Receive:
    """What was received already, then what comes after."""
    kept = iter(messages)

    async def receive_again() -> Message:
        message = next(kept, None)
        return await receive() if message is None else message

    return receive_again


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(ANSWER)).encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER, "more_body": False})
