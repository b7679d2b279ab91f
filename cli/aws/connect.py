"""Connect a verb to its stack: common options, the first line, errors of AWS, the answer."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.target import Target, find_stack
from cli.errors import InputError, VerbError
from cli.setup.laptop_stack import NAME
from whosthere.errors import WhosthereError


def add_options(parser: argparse.ArgumentParser, *, camera: bool = True) -> None:
    """Add the options of a verb that talks to a stack."""
    if camera:
        parser.add_argument("camera", nargs="?", help="may be left out if the stack has only one")
    parser.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


@contextmanager
def connect(arguments: argparse.Namespace) -> Iterator[Target]:
    """Find the stack and print which it is; turn errors of AWS or the library into VerbError."""
    target = find_stack(arguments.stack)
    print(target, file=sys.stderr)
    try:
        yield target
    except WhosthereError as error:
        raise InputError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error


def confirm(target: Target, question: str, *, yes: bool) -> bool:
    """Return whether to go on: asks on AWS only, and not if `--yes` was given."""
    if target.is_laptop or yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(f"{question} Nobody is there to answer: say --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def print_result(arguments: argparse.Namespace, content: dict[str, Any], text: str) -> None:
    """Print the answer to standard output: one JSON object, or text for people."""
    print(json.dumps(content, ensure_ascii=False) if arguments.json else text)
