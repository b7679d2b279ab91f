"""`./whosthere review`: serve the owner's page on this machine."""

import argparse
import errno
import sys
import webbrowser

from cli.aws.connect import add_options, connect, print_result
from cli.aws.people.visits import VisitHistory
from cli.commands.visits import take_back
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.review.queries import StackPage
from cli.review.server import PageServer, PageSource

HELP = "see on a page who was here, and decide who strangers are"
EXAMPLE = "./whosthere review --open"
HIGHEST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_options(parser, camera=False)
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the page (default: a free one)"
    )
    parser.add_argument(
        "--not",
        dest="not_person",
        metavar="VISIT",
        help="without the page: that visit was somebody else's, a stranger's",
    )
    parser.set_defaults(undo_not=None)  # `visits` has it
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Serve the page until Ctrl-C and return the exit code."""
    with connect(arguments) as target:
        if arguments.not_person:
            return take_back(arguments, target, VisitHistory(target))
        server = bind_server(StackPage(target), arguments.port)
        text = f"{server.link}\nThe link works once, on this machine. Ctrl-C ends the page."
        print_result(arguments, {"stack": str(target), "link": server.link}, text)
        sys.stdout.flush()  # the page stays; who reads a pipe wants the link now
        if arguments.open:
            webbrowser.open(server.link)
        server.run_until_interrupt(interrupts)
    return 0


def bind_server(page: PageSource, port: int) -> PageServer:
    """Return the server on its port; InputError if it cannot have it."""
    if not 0 <= port <= HIGHEST_PORT:
        raise InputError(f"port {port} is none: 1 to {HIGHEST_PORT}, or leave --port out")
    try:
        return PageServer(page, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken; leave --port out for a free one") from error
        raise InputError(f"port {port} cannot be used: {error.strerror}") from error
