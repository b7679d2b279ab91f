"""Serve the page of a stack in a laptop AWS of this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from cli.aws.target import find_stack
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.review.queries import StackPage
from cli.review.server import PageServer
from cli.setup.laptop_stack import Stack, drop_aws_settings
from local.laptop import LaptopAWS

INVITATION = """The owner's page of this stack, with its strangers to decide on:

  {link}

The link works once, on this machine. Ctrl-C ends the page and the stack."""


def serve_page(laptop: LaptopAWS, stack: Stack, progress: Progress, interrupts: Interrupts) -> None:
    """Print the link of the page, and serve it until Ctrl-C."""
    with _settings_of(laptop):
        server = PageServer(StackPage(find_stack(stack.name)))
        progress.print(INVITATION.format(link=server.link))
        server.run_until_interrupt(interrupts)


@contextmanager
def _settings_of(laptop: LaptopAWS) -> Iterator[None]:
    """Let this process reach the laptop AWS as a verb does, and afterwards none."""
    variables = laptop.environment()
    os.environ |= {name: value for name, value in variables.items() if name.startswith("AWS_")}
    try:
        yield
    finally:
        drop_aws_settings()
