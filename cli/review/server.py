"""The server of the owner's page: its three files, JSON of what is known, and the owner's acts.

Nothing is logged: a path has no name, but a picture's moment is personal, too.
"""

import json
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from cli.review.access import Access, guarded, refusal
from whosthere.errors import WhosthereError

FOLDER = Path(__file__).parent
TYPES = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "today.js": "text/javascript",
}
# Answers still on their way when the server ends, such as a clip.
SHUTDOWN_SECONDS = 2
POLL_SECONDS = 0.1

type Json = dict[str, Any]
type Endpoint = Callable[[Request], Awaitable[Response]]


class PageSource(Protocol):
    """What the page shows, and what the owner decides on it. Times are in milliseconds.

    Calls come from several threads. InputError and WhosthereError say what is wrong with the
    request.
    """

    def overview(self) -> Json:
        """Return `stack`, `zone`, `cameras` and how many strangers are `waiting`."""

    def strangers(self, status: str) -> Json:
        """Return the `strangers` of that status."""

    def visits(self, day: str, who: str) -> Json:
        """Return the `visits` of a day, of `today` if empty, or all of `who`."""

    def people(self) -> Json:
        """Return the `people` with their photos."""

    def likely(self, stranger: str) -> Json:
        """Return who a stranger resembles, `likely` first, by name and similarity."""

    def cameras(self) -> Json:
        """Return what the `cameras` do."""

    def plan(self, camera: str, minutes: int) -> Json:
        """Return the `text` of until when a session would run, and what it costs at most."""

    def picture(self, picture: str) -> bytes:
        """Return the JPEG of an id that an answer named."""

    def clip(self, camera: str, from_ms: int, to_ms: int) -> bytes:
        """Return the camera's video of that time as MP4."""

    def live(self, camera: str) -> bytes:
        """Return the newest picture of a camera as JPEG."""

    def decide(self, act: str, content: Mapping[str, Any]) -> Json:
        """Decide on strangers; return the `text` of what happened and what to `undo` it by."""

    def steer(self, act: str, camera: str, minutes: int) -> Json:
        """Start, stop, pause or resume a camera's session; return the `text` of what happened."""


class PageServer:
    """The page on a loopback port of its own."""

    def __init__(self, source: PageSource, port: int = 0) -> None:
        """Bind the port, 0 for a free one; OSError if it is taken."""
        self._socket = socket.create_server(("127.0.0.1", port))
        access = Access(self._socket.getsockname()[1])
        self.link = access.link
        config = uvicorn.Config(
            guarded(page_app(source, access), access),
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = uvicorn.Server(config)

    def run_until_interrupt(self, interrupts: Interrupts) -> None:
        """Serve until the first Ctrl-C, or until the terminal is closed."""
        serving = Thread(target=self.run, daemon=True)  # uvicorn in the main thread ignores SIGHUP
        with interrupts.deferred():
            serving.start()
            while serving.is_alive() and not interrupts.asked:
                time.sleep(POLL_SECONDS)
            self.stop()
            serving.join()

    def run(self) -> None:
        """Serve until `stop` is called."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `run` return; for another thread."""
        self._server.should_exit = True


def page_app(source: PageSource, access: Access) -> ASGIApp:
    """Return the app; who may use it is decided in front of it."""

    async def exchange(request: Request) -> Response:
        return access.exchange(await _content(request))

    def overview(source: PageSource, _: Request) -> Json:
        return source.overview() | {"token": access.token}

    reads = READS | {"/api/overview": overview}
    routes = [Route("/", _file("page.html")), Route("/favicon.ico", _no_icon)]
    routes += [Route(f"/{name}", _file(name)) for name in TYPES]
    routes += [Route("/session", exchange, methods=["POST"])]
    routes += [Route(path, _read(partial(call, source))) for path, call in reads.items()]
    routes += [
        Route(path, _post(partial(call, source)), methods=["POST"]) for path, call in POSTS.items()
    ]
    return Starlette(routes=routes)


def _strangers(source: PageSource, request: Request) -> Json:
    return source.strangers(request.query_params.get("status", ""))


def _visits(source: PageSource, request: Request) -> Json:
    asked = request.query_params
    return source.visits(asked.get("day", ""), asked.get("who", ""))


def _people(source: PageSource, _: Request) -> Json:
    return source.people()


def _likely(source: PageSource, request: Request) -> Json:
    return source.likely(request.query_params.get("stranger", ""))


def _cameras(source: PageSource, _: Request) -> Json:
    return source.cameras()


def _plan(source: PageSource, request: Request) -> Json:
    asked = request.query_params
    return source.plan(asked.get("camera", ""), _minutes(asked.get("minutes")))


def _picture(source: PageSource, request: Request) -> Response:
    return Response(source.picture(request.path_params["picture"]), media_type="image/jpeg")


def _clip(source: PageSource, request: Request) -> Response:
    asked = request.path_params
    found = source.clip(asked["camera"], asked["from_ms"], asked["to_ms"])
    return Response(found, media_type="video/mp4")


def _live(source: PageSource, request: Request) -> Response:
    return Response(source.live(request.path_params["camera"]), media_type="image/jpeg")


def _decide(source: PageSource, content: Json) -> Json:
    return source.decide(_text(content, "act"), content)


def _steer(source: PageSource, content: Json) -> Json:
    minutes = _minutes(content.get("minutes") or 0)
    return source.steer(_text(content, "act"), _text(content, "camera"), minutes)


READS: dict[str, Callable[[PageSource, Request], Json | Response]] = {
    "/api/strangers": _strangers,
    "/api/visits": _visits,
    "/api/people": _people,
    "/api/likely": _likely,
    "/api/cameras": _cameras,
    "/api/plan": _plan,
    "/pictures/{picture}": _picture,
    "/live/{camera}": _live,
    "/clips/{camera}/{from_ms:int}-{to_ms:int}": _clip,
}
POSTS: dict[str, Callable[[PageSource, Json], Json]] = {"/acts": _decide, "/cameras": _steer}


def _file(name: str) -> Endpoint:
    async def serve(_: Request) -> Response:
        return FileResponse(FOLDER / name, media_type=TYPES[name])

    return serve


async def _no_icon(_: Request) -> Response:
    return Response(status_code=204)


def _read(call: Callable[[Request], Json | Response]) -> Endpoint:
    async def read(request: Request) -> Response:
        return await _answer(call, request)

    return read


def _post(call: Callable[[Json], Json]) -> Endpoint:
    async def post(request: Request) -> Response:
        return await _answer(call, await _content(request))

    return post


async def _answer[Asked](call: Callable[[Asked], Json | Response], asked: Asked) -> Response:
    """Return the call's answer; what is wrong becomes a sentence, and nothing is logged."""
    try:
        found = await run_in_threadpool(call, asked)
    except (InputError, WhosthereError) as error:
        return refusal(400, str(error))
    except VerbError as error:
        return refusal(502, str(error))
    except (BotoCoreError, ClientError) as error:
        return refusal(502, f"AWS refused: {error}")
    except Exception as error:  # its text may hold names, and its traceback would be printed
        return refusal(500, f"The page's server failed: {type(error).__name__}")
    return found if isinstance(found, Response) else JSONResponse(found)


async def _content(request: Request) -> Json:
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} has to be a text")
    return value


def _minutes(given: object) -> int:
    try:
        return int(str(given))
    except ValueError as error:
        raise InputError("minutes has to be a whole number") from error
