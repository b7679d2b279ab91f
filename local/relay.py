"""Lets containers of this machine reach the laptop AWS: their own loopback interface is not ours.

`sam local invoke` runs a function in a container on Docker's bridge. The relay listens on
the bridge's gateway address, which only this machine and its containers can reach, and hands
every byte on to the same port of the loopback interface. The guard and all signatures stay
in force. A container reaches it as `localhost` (`--add-host localhost:host-gateway`), so that
the Host it sends is a loopback one.
"""

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator

BRIDGE = "bridge"  # the network Docker puts a container on that asks for none
CHUNK = 65536


def gateway() -> str | None:
    """The host's own address on Docker's bridge, or None where no Docker runs."""
    command = ["docker", "network", "inspect", BRIDGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        found = json.loads(done.stdout or "[]")
        return str(found[0]["IPAM"]["Config"][0]["Gateway"])
    except (OSError, subprocess.TimeoutExpired, ValueError, LookupError):
        return None


@contextlib.contextmanager
def relaying(address: str, ports: list[int]) -> Iterator[None]:
    """Hand on what comes to these ports of `address`, until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(_open(address, ports), loop)
    try:
        servers = opened.result(10)
        yield
        for server in servers:
            loop.call_soon_threadsafe(server.close)
    finally:
        asyncio.run_coroutine_threadsafe(_let_go(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _open(address: str, ports: list[int]) -> list[asyncio.Server]:
    return [await asyncio.start_server(_handler(port), address, port) for port in ports]


async def _let_go() -> None:
    """End what still streams."""
    own = asyncio.current_task()
    open_still = [task for task in asyncio.all_tasks() if task is not own]
    for task in open_still:
        task.cancel()
    await asyncio.gather(*open_still, return_exceptions=True)


def _handler(
    port: int,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        with contextlib.closing(writer), contextlib.closing(inner_writer):
            await asyncio.gather(_pipe(reader, inner_writer), _pipe(inner_reader, writer))

    return connected


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
