"""`./whosthere up`: run the laptop AWS with the stack in it until Ctrl-C, to look around."""

import argparse
import json
import os
import shlex
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.demo.leaks import laptop_leaks
from cli.demo.report import leaks_line
from cli.errors import InputError, VerbError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup.laptop_stack import BINARIES, CAMERA, Sam, Stack, bring_up, drop_aws_settings
from cli.setup.run_dirs import private_files, run_dir
from cli.setup.toolchain import WORK_DIR
from local.laptop import LaptopAWS, LaptopError
from local.relay import gateway, relaying

HELP = "run the laptop AWS with the stack in it until Ctrl-C, and look around"
EXAMPLE = "./whosthere up --port 4566"
POLL_SECONDS = 0.5
# Variables of another shell that would direct its AWS client elsewhere.
IN_THE_WAY = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
HIGHEST_PORT = 65534  # the next one is that of media
# The functions' variables for `sam local invoke`; samconfig.toml names this file. A link: the
# owner's key lies in the run directory, which goes with its run however that ends.
INVOKE_ENVIRONMENT = WORK_DIR / "invoke.json"
INVOKE = "sam local invoke OpenSessionFunction --config-env local --event events/open_session.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        help="of every service; media has the next one (default: free ones)",
    )
    parser.add_argument(
        "--engine",
        choices=("stream-processor", "image-search"),
        default="stream-processor",
        help="what makes records out of video",
    )
    parser.add_argument(
        "--containers",
        action="store_true",
        help="let this machine's containers reach it too, for `sam local invoke`",
    )
    parser.add_argument("--verbose", action="store_true", help="show what sam says")


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {HIGHEST_PORT}")
    return int(text)


def _check_ports(port: int) -> None:
    """Raise InputError if a port that was asked for is taken."""
    for number in (port, port + 1) if port else ():
        try:
            socket.create_server(("127.0.0.1", number)).close()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise InputError(f"--port {port}: {number} cannot be used: {reason}") from error


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Start it, print how to reach it, and wait; 0 after Ctrl-C, which is the normal end."""
    _check_ports(arguments.port)
    downloads = drop_aws_settings()
    progress = Progress()
    with run_dir("up") as logs:
        sam = Sam(arguments.engine, logs, downloads, verbose=arguments.verbose)
        media_port = arguments.port and arguments.port + 1
        laptop = LaptopAWS(logs / "laptop", port=arguments.port, media_port=media_port)
        try:
            stack = bring_up(laptop, sam, progress)
            with _containers(laptop, stack, logs, asked=arguments.containers) as invoke:
                progress.print(directions(laptop, stack, invoke))
                with interrupts.deferred():
                    _wait(laptop, interrupts)
        except LaptopError as error:
            raise VerbError(str(error)) from error
        finally:
            interrupts.ignore()
            laptop.stop()
        left = laptop_leaks(laptop)
    progress.print(leaks_line(left))
    return 1 if any(left.values()) else 0


def _wait(laptop: LaptopAWS, interrupts: Interrupts) -> None:
    while not interrupts.asked:
        if not laptop.processes():
            raise VerbError("the laptop AWS has ended unexpectedly; its log says why")
        time.sleep(POLL_SECONDS)


@contextmanager
def _containers(laptop: LaptopAWS, stack: Stack, logs: Path, *, asked: bool) -> Iterator[list[str]]:
    """Open the laptop AWS to containers if that was asked for; yield the command that uses it."""
    if not asked:
        yield []
        return
    address = gateway()
    if address is None:
        raise VerbError("--containers needs a running Docker engine, and `docker` finds none here")
    written = logs / INVOKE_ENVIRONMENT.name
    write_invoke_environment(laptop, stack, written)
    with relaying(address, laptop.ports()), published(written) as is_default:
        yield [INVOKE if is_default else f"{INVOKE} --env-vars {shlex.quote(str(written))}"]


@contextmanager
def published(written: Path) -> Iterator[bool]:
    """Link samconfig.toml's name to the file, unless another `up` that runs has it."""
    is_free = not (INVOKE_ENVIRONMENT.is_symlink() and INVOKE_ENVIRONMENT.exists())
    if is_free:
        INVOKE_ENVIRONMENT.unlink(missing_ok=True)  # of a run that was killed
        INVOKE_ENVIRONMENT.symlink_to(written)
    try:
        yield is_free
    finally:
        if is_free:
            INVOKE_ENVIRONMENT.unlink(missing_ok=True)


def directions(laptop: LaptopAWS, stack: Stack, invoke: list[str]) -> str:
    """Return the lines to paste into another shell, and commands that work there as printed."""
    names = {name: value for name, value in laptop.environment().items() if name.startswith("AWS_")}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in names.items()]
    portrait = next(iter(sorted(Path("demo/people").glob("*/*.jpg"))), Path("photo.jpg"))
    session = json.dumps({"camera": CAMERA, "minutes": 10})
    return "\n".join(
        [
            "",
            "It is up. In another shell, in this folder:",
            "",
            f"unset {' '.join(IN_THE_WAY)}",
            *exports,
            f"export NO_PROXY=127.0.0.1,localhost PATH={shlex.quote(str(BINARIES))}:$PATH",
            "",
            "Then, for example:",
            "",
            f"aws s3 cp {shlex.quote(str(portrait))} s3://{stack.bucket}/people/Alice/",
            f"aws stepfunctions start-execution --state-machine-arn {stack.machine_arn} "
            f"--name look-1 --input {shlex.quote(session)}",
            f"python -m edge --camera {CAMERA} --source demo/film.mp4",
            f"aws dynamodb scan --table-name {stack.table} --output table",
            f"aws s3 ls --recursive s3://{stack.bucket}/",
            # Version 1 of the CLI ignores AWS_ENDPOINT_URL for SQS and would call AWS itself.
            'aws sqs list-queues --endpoint-url "$AWS_ENDPOINT_URL"  # sqs alone needs to be told',
            *invoke,
            "",
            "Ctrl-C here stops it and deletes all it holds.",
        ]
    )


def write_invoke_environment(laptop: LaptopAWS, stack: Stack, target: Path) -> None:
    """Write the variables with which `sam local invoke` reaches the laptop AWS and the stack."""
    endpoint = {
        name: value
        for name, value in laptop.environment().items()
        if name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }
    # A container's 127.0.0.1 is its own; samconfig.toml gives it a `localhost` that is the relay.
    endpoint["AWS_ENDPOINT_URL"] = endpoint["AWS_ENDPOINT_URL"].replace("127.0.0.1", "localhost")
    functions = laptop.client("lambda").list_functions()["Functions"]
    variables = [function.get("Environment", {}).get("Variables", {}) for function in functions]
    own = {
        name: value
        for each in variables
        if each.get("STACK") == stack.name
        for name, value in each.items()
    }
    content = json.dumps({"Parameters": own | endpoint}, indent=2)
    with private_files():
        target.write_text(content + "\n")
