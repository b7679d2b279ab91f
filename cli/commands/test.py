"""`./whosthere test`: run the project's tests, with no AWS account in reach."""

import argparse
import os
import subprocess

from cli.interrupts import Interrupts
from cli.setup.laptop_stack import BINARIES, drop_aws_settings
from cli.setup.toolchain import ROOT

HELP = "run the product's tests, or `test local` the emulator's; --long adds what takes minutes"
EXAMPLE = "./whosthere test -k visit"
TAKES_MORE = True  # pytest's options
# Twice as many as cores, as tests wait a lot; but each process has a laptop AWS of its own.
MOST_PROCESSES = 4
EMULATOR = ("local", "local/tests")  # the word, and the folder that pytest gets for it
# In the order of pyproject.toml: the slowest files first.
IN_ORDER = ("--dist", "loadfile", "--no-loadscope-reorder")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options; pytest gets all others."""
    parser.add_argument("--long", action="store_true", help="also the tests that take minutes")


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Run pytest and return its exit code."""
    drop_aws_settings()
    word, folder = EMULATOR
    more = [folder, *arguments.more[1:]] if arguments.more[:1] == [word] else arguments.more
    long = ["--long"] if arguments.long else []
    side_by_side = ["-n", str(min(2 * (os.cpu_count() or 1), MOST_PROCESSES)), *IN_ORDER]
    command = [str(BINARIES / "python"), "-m", "pytest", *side_by_side, *long, *more]
    interrupts.ignore()  # pytest gets the same Ctrl-C and ends by itself
    return subprocess.run(command, cwd=ROOT).returncode
