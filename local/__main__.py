"""`python -m local`: run the laptop AWS in the foreground.

It ends on Ctrl-C, on SIGTERM, with its terminal and, if standard input is a pipe, when that is
closed.
"""

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from local import server
from local.laptop import LaptopError, allow_open_files

HIGHEST_PORT = 65535
# What the machine refuses, and no mistake of ours.
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EACCES)
PRIVATE = 0o077  # the umask: what lies here are keys, faces and names


def main() -> None:
    """Start the laptop AWS, print its addresses as one line of JSON, and wait for the end."""
    arguments = _arguments()
    os.umask(PRIVATE)
    try:
        allow_open_files()
        with _directory(arguments.directory) as directory:
            _log_to(directory / "laptop.log")
            asyncio.run(_run(arguments.port, arguments.media_port, directory))
    except (LaptopError, server.PortTakenError) as error:
        sys.exit(str(error))
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        sys.exit(f"{error.strerror}: {error.filename}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local", description="Run an AWS emulator on this laptop."
    )
    parser.add_argument(
        "--port", type=_port, default=0, help="port of every service; 0 takes a free one"
    )
    parser.add_argument(
        "--media-port",
        type=_port,
        default=0,
        help="port of Kinesis Video's media; 0 takes a free one",
    )
    parser.add_argument(
        "--directory", type=Path, help="folder of the log, the IAM decisions and temporary files"
    )
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {HIGHEST_PORT}")
    return int(text)


async def _run(port: int, media_port: int, directory: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    _end_with_standard_input(lambda: loop.call_soon_threadsafe(ended.set))
    async with server.running(port, media_port, directory) as facts:
        print(json.dumps({**facts, "pid": os.getpid()}), flush=True)
        await ended.wait()


def _end_with_standard_input(end: Callable[[], object]) -> None:
    """End this process when the process at the other end of its standard input ends."""
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        return

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        end()

    threading.Thread(target=wait, daemon=True, name="standard-input").start()


def _log_to(path: Path) -> None:
    logging.basicConfig(
        filename=path,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # MiniStack logs the beginning of every message, and an alert begins with a name.
    logging.getLogger("sns").setLevel(logging.WARNING)


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    """Yield the given directory, or a temporary one that is deleted at the end."""
    path = given or Path(tempfile.mkdtemp(prefix="laptop-aws-"))
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield path.resolve()
    finally:
        shutil.rmtree(path / "tmp" if given else path, ignore_errors=True)


if __name__ == "__main__":
    main()
