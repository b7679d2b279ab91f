"""The media plane: an ASGI application that authenticates, authorises and routes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from local import ministack
from local.kinesisvideo import errors, requests, validation
from local.kinesisvideo.errors import KinesisVideoError, not_implemented
from local.kinesisvideo.media import archived, get_clip, get_images, get_media, hls, put_media
from local.kinesisvideo.media.connection import Connection, read_body
from local.kinesisvideo.media.put_media_headers import parse_headers
from local.kinesisvideo.store.state import KinesisVideo, current_service
from local.kinesisvideo.store.streams import Stream
from local.security.iam import AccessDenied

type Scope = dict[str, Any]
type Handler = Callable[[KinesisVideo, Stream, requests.Parameters, Connection], Awaitable[None]]

LOGGER = logging.getLogger(__name__)
OPERATIONS: dict[str, Handler] = {
    "GetMedia": get_media.get_media,
    "ListFragments": archived.list_fragments,
    "GetMediaForFragmentList": archived.get_media_for_fragment_list,
    "GetClip": get_clip.get_clip,
    "GetImages": get_images.get_images,
    "GetHLSStreamingSessionURL": hls.get_hls_streaming_session_url,
}


async def app(scope: Scope, receive: Any, send: Any) -> None:
    """Serve the media plane as an ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _answer(scope, Connection(receive, send))
    else:
        raise ValueError(f"{scope['type']} is not supported")


async def _lifespan(receive: Any, send: Any) -> None:
    expiring = asyncio.create_task(current_service().expire_periodically())
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    expiring.cancel()
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(scope: Scope, connection: Connection) -> None:
    """Answer one request; an error after the response has started ends the connection."""
    try:
        await _run(scope, connection)
    except KinesisVideoError as error:
        await connection.answer(*errors.error_response(error))
    except ministack.NotAuthenticError as error:
        refused = KinesisVideoError(error.code, error.message, error.status)
        await connection.answer(*errors.error_response(refused))
    except AccessDenied as error:
        refused = KinesisVideoError("AccessDeniedException", error.message, 403)
        await connection.answer(*errors.error_response(refused))
    except Exception:
        LOGGER.exception("a request failed: %s", scope["path"])
        await connection.abort()


async def _run(scope: Scope, connection: Connection) -> None:
    headers = _headers(scope)
    service = current_service()
    if scope["method"] == "GET" and scope["path"] in hls.LINKS:
        await hls.answer_link(service, scope["path"], _query(scope), connection)
        return
    if scope["method"] != "POST":
        raise not_implemented(f"{scope['method']} {scope['path'][:100]}")
    if scope["path"] == "/putMedia":
        principal = _authenticate(scope, headers, None)
        request = parse_headers(headers)
        stream = service.streams.find(request.stream_name, request.stream_arn)
        ministack.authorize(principal, "kinesisvideo:PutMedia", stream.arn)
        await put_media.put_media(service, stream, request, principal, connection)
        return
    operation, handler = _operation(scope["path"])
    body = await read_body(connection)
    principal = _authenticate(scope, headers, body)
    parameters = requests.read(operation, body)
    stream = service.streams.find(*requests.stream_identifiers(parameters))
    ministack.authorize(principal, f"kinesisvideo:{operation}", stream.arn)
    await handler(service, stream, parameters, connection)


def _operation(path: str) -> tuple[str, Handler]:
    name = validation.operation_at(path)
    if name not in OPERATIONS:
        raise not_implemented(name or path[:100])
    return name, OPERATIONS[name]


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name, repeated values joined as in Signature Version 4."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _authenticate(scope: Scope, headers: dict[str, str], body: bytes | None) -> ministack.Principal:
    path = scope["raw_path"].decode("latin-1")
    return ministack.authenticate(scope["method"], path, _query(scope), headers, body)


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
