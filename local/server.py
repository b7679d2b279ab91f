"""Start and stop the laptop AWS: two guarded ports and one with mutual TLS."""

import asyncio
import contextlib
import http.client
import importlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from local import ministack
from local.event_source_mapping.install import event_source_mappings
from local.iot.endpoint import CredentialProvider
from local.ministack import names
from local.security.guard import HEALTH, Guard
from local.security.request_size import SizeLimit

SERVICES = ("kinesisvideo", "rekognition")
# The certificate that clients check the credential provider with.
AUTHORITY = "authority.pem"
GRACE_SECONDS = 1
IDLE_SECONDS = 15  # clients reopen a pooled connection that was closed
START_SECONDS = 30


class PortTakenError(Exception):
    """Another program listens on a port that was asked for, or only root may."""


@contextlib.asynccontextmanager
async def running(port: int, media_port: int, directory: Path) -> AsyncIterator[dict[str, str]]:
    """Run the laptop AWS and yield its addresses and the owner's keys."""
    with _listening(port) as control, _listening(media_port) as media, _listening(0) as device:
        ports = control.getsockname()[1], media.getsockname()[1]
        ministack.configure(port=ports[0], media_port=ports[1], directory=directory)
        provider = CredentialProvider(device)
        services = _install(provider.address)
        ended = asyncio.Event()
        gate: Any = Guard(SizeLimit(names.APP.get()), ports[0], ministack.refusal())
        server = asyncio.create_task(serve(gate, _config(control), shutdown_trigger=ended.wait))
        refusal = ministack.refusal("kinesisvideo")
        guarded = Guard(_media_application(), ports[1], refusal, _links())
        plane = MediaPlane(guarded, media)
        try:
            # Making certificates takes as long as starting does.
            await asyncio.gather(
                asyncio.to_thread(_wait_until_ready, ports[0]),
                asyncio.to_thread(provider.start, directory / AUTHORITY),
            )
            facts = await ministack.create_owner()
            plane.start()
            urls = {
                "endpoint": ministack.endpoint(),
                "media_endpoint": ministack.media_endpoint(),
                "credential_endpoint": f"https://{provider.address}",
                "authority": str(directory / AUTHORITY),
            }
            async with event_source_mappings():
                yield {**urls, **facts}
        finally:
            # Readers and writers of media stop first, or a running processor would keep the plane
            # open. They may be waiting for an answer of ours, so both ports still answer.
            await asyncio.to_thread(_stop, services)
            await asyncio.to_thread(plane.stop)
            provider.stop()
            ended.set()
            await server


def _install(credential_endpoint: str) -> list[ministack.Service]:
    """Patch MiniStack and register our services; MiniStack is first imported here."""
    names.check_names()
    importlib.import_module("local.patches").install()
    importlib.import_module("local.patches.faults").install()
    importlib.import_module("local.iot.install").install(credential_endpoint)
    services = [importlib.import_module(f"local.{name}.api.service").SERVICE for name in SERVICES]
    for service in services:
        ministack.register_service(service)
    return services


def _media_application() -> Any:
    return importlib.import_module("local.kinesisvideo.media.app").app


def _links() -> dict[str, frozenset[str]]:
    """Return the paths that media players ask for, with their parameters."""
    hls = importlib.import_module("local.kinesisvideo.media.hls")
    return dict.fromkeys(hls.LINKS, hls.PARAMETERS)


def _stop(services: list[ministack.Service]) -> None:
    for service in services:
        getattr(service.module, "stop", service.module.reset)()
    ministack.kill_workers()


def _wait_until_ready(port: int) -> None:
    """Wait for MiniStack's first answer; its port accepts connections before it has started."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", HEALTH)
        connection.getresponse().read()
    finally:
        connection.close()


class MediaPlane:
    """Kinesis Video's media port; it streams for hours, so it has a thread and loop of its own."""

    def __init__(self, application: Guard, listener: socket.socket) -> None:
        """Prepare to serve an application on a listening socket."""
        self._application: Any = application
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="media-plane")

    def start(self) -> None:
        """Start to answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        trigger = self._ended.wait
        serving = asyncio.create_task(
            serve(self._application, _config(self._listener), shutdown_trigger=trigger)
        )
        ended = asyncio.create_task(trigger())
        await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
        # hypercorn would wait for open connections without end before its grace period
        # begins; open streams are cut off.
        await asyncio.wait({serving}, timeout=GRACE_SECONDS)
        # Once cancelled, hypercorn still puts the end of the stream into the queue of a request's
        # body. That queue is full and nobody reads it when a client sends faster than its
        # fragments are stored, so it takes a second cancellation to end the wait for room.
        for _ in range(2):
            if left := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=GRACE_SECONDS)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        raise PortTakenError(f"port {port}: {os.strerror(error.errno or 0)}") from error
    try:
        yield listener
    finally:
        listener.close()


def _config(listener: socket.socket) -> Config:
    config = Config()
    # hypercorn closes the descriptor it is given; the socket itself stays ours.
    config.bind = [f"fd://{listener.dup().detach()}"]
    config.keep_alive_timeout = IDLE_SECONDS
    config.graceful_timeout = GRACE_SECONDS
    return config
