"""`./whosthere test`: run the project's tests, with no AWS account in reach unless one is asked."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from cli.aws.connect import confirm
from cli.aws.sessions.session_start import plan_session
from cli.aws.target import Target, find_stack
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.setup.laptop_stack import BINARIES, NAME, drop_aws_settings
from cli.setup.toolchain import ROOT

HELP = "run the product's tests; `test local` the emulator's; `test aws` asks a deployed stack"
EXAMPLE = "./whosthere test -k visit"
TAKES_MORE = True  # pytest's options
# Twice as many as cores, as tests wait a lot; but each process has a laptop AWS of its own.
MOST_PROCESSES = 4
EMULATOR = ("local", "local/tests")  # the word, and the folder that pytest gets for it
DEPLOYED = ("aws", "tests/aws")
# In the order of pyproject.toml: the slowest files first.
IN_ORDER = ("--dist", "loadfile", "--no-loadscope-reorder")
# What the tests of a deployed stack find it by, and write their answers into.
AWS_STACK_VARIABLE, AWS_ANSWERS_VARIABLE = "WHOSTHERE_TEST_STACK", "WHOSTHERE_TEST_ANSWERS"
ANSWERS = "aws-answers.json"
# At most so long, if the camera sends video; a session without video has no engine.
SESSION_MINUTES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options; pytest gets all others."""
    parser.add_argument("--long", action="store_true", help="also the tests that take minutes")
    deployed = parser.add_argument_group("with `test aws`, which writes aws-answers.json")
    deployed.add_argument("--stack", default=NAME, help="the stack (default: %(default)s)")
    deployed.add_argument("--region", help="its Region, if not the shell's own")
    deployed.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Run pytest and return its exit code."""
    if arguments.more[:1] == [DEPLOYED[0]]:
        options = _ask_stack(arguments)
    else:
        options = _without_account(arguments)
    command = [str(BINARIES / "python"), "-m", "pytest", *options]
    interrupts.ignore()  # pytest gets the same Ctrl-C and ends by itself
    return subprocess.run(command, cwd=ROOT).returncode


def _without_account(arguments: argparse.Namespace) -> list[str]:
    """Remove the AWS settings from this process; return the options of pytest."""
    drop_aws_settings()
    word, folder = EMULATOR
    more = [folder, *arguments.more[1:]] if arguments.more[:1] == [word] else arguments.more
    long = ["--long"] if arguments.long else []
    side_by_side = ["-n", str(min(2 * (os.cpu_count() or 1), MOST_PROCESSES)), *IN_ORDER]
    return [*side_by_side, *long, *more]


def _ask_stack(arguments: argparse.Namespace) -> list[str]:
    """Ask the owner for leave, name the stack to the tests and return the options of pytest."""
    if arguments.region:
        os.environ |= {"AWS_REGION": arguments.region, "AWS_DEFAULT_REGION": arguments.region}
    target = find_stack(arguments.stack)
    print(target, file=sys.stderr)
    if not confirm(target, cost_text(target), yes=arguments.yes):
        raise InputError("nothing was asked")
    os.environ[AWS_STACK_VARIABLE] = target.stack
    os.environ[AWS_ANSWERS_VARIABLE] = str(Path.cwd() / ANSWERS)
    return ["-n0", DEPLOYED[1], *arguments.more[1:]]


def cost_text(target: Target) -> str:
    """Return what the tests of a deployed stack do and cost, as a question."""
    price = plan_session(target, target.cameras[0], {"minutes": SESSION_MINUTES}).price
    return (
        f"The tests start a session of {target.cameras[0]} and stop it ({price}), and read what "
        "the stack did before (about $0.01). Run them?"
    )
