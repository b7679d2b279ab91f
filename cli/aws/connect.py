"""What the verbs that talk to a stack have in common: options, first line, AWS's refusals."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.target import Target, find
from cli.errors import InputError, VerbError
from cli.setup.laptop_stack import NAME
from whosthere.errors import WhosthereError


def add_options(parser: argparse.ArgumentParser, *, camera: bool = True) -> None:
    """The camera, the stack, and JSON."""
    if camera:
        parser.add_argument("camera", nargs="?", help="may be left out if the stack has only one")
    parser.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


@contextmanager
def talking(arguments: argparse.Namespace) -> Iterator[Target]:
    """The stack that is meant, said first; what AWS or the library refuses becomes a VerbError."""
    target = find(arguments.stack)
    print(target, file=sys.stderr)
    try:
        yield target
    except WhosthereError as error:
        raise InputError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise VerbError(f"AWS refused: {error}") from error


def confirm(target: Target, question: str, *, yes: bool) -> bool:
    """Whether to go on: asked on AWS only, and not where `--yes` was said."""
    if target.is_laptop or yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(f"{question} Nobody is there to answer: say --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def tell(arguments: argparse.Namespace, content: dict[str, Any], text: str) -> None:
    """The answer on standard output: one JSON object, or text for people."""
    print(json.dumps(content, ensure_ascii=False) if arguments.json else text)
