"""`./whosthere demo`: the product does its whole job here, with a film for a door."""

import argparse
import json
from pathlib import Path
from typing import Any

from cli.demo.film import length_of
from cli.demo.output import new_folder, write
from cli.demo.report import lines
from cli.demo.result import Outcome, differences
from cli.demo.scenario import Case, camera_case, demo_case, own_case
from cli.demo.steps import Demo
from cli.demo.webcam import FIRST, SECONDS, seconds, source_of
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup.laptop_stack import forget_accounts
from cli.setup.run_dirs import run_folder

HELP = "see the whole product work on this laptop, with a film for a door"
EXAMPLE = './whosthere demo --video me.mp4 --person "Zoë=zoe.jpg"'
INTERRUPTED = 130
NEXT = """
Your own face:  ./whosthere demo --webcam --person "Me=me.jpg"    (or --video FILE)
Look around:    ./whosthere up
Put it on AWS:  sam build && sam deploy    (sam is in .whosthere/project/bin)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's options."""
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--video", type=Path, metavar="FILE", help="another film than the demo's")
    shown.add_argument(
        "--webcam",
        nargs="?",
        const=FIRST,
        metavar="SOURCE",
        help="a camera of this machine, or any other source of the edge's, instead of a film",
    )
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=SECONDS,
        metavar="N",
        help="with --webcam: how long, 10 to 3600 (default: %(default)s)",
    )
    parser.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="NAME=PHOTO",
        help="with --video or --webcam: somebody to enrol, and a photo; may be repeated",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="a new folder for the results")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--engine",
        choices=("stream-processor", "image-search"),
        default="stream-processor",
        help="what makes records out of video",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show what sam and the edge say, and keep the logs"
    )


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Run the demo and give the exit code."""
    downloads = forget_accounts()
    progress = Progress(to_stderr=arguments.json)
    case = _case(arguments)
    folder = new_folder(arguments.output)
    with run_folder("demo", keep=arguments.verbose) as logs:
        demo = Demo(
            case=case,
            engine=arguments.engine,
            logs=logs,
            downloads=downloads,
            progress=progress,
            interrupts=interrupts,
            verbose=arguments.verbose,
        )
        played = demo.play()
    compare = case.truth is not None and not played.interrupted
    wrong = differences(played.outcome, case.truth) if case.truth and compare else []
    write(
        folder,
        played.outcome,
        played.received,
        played.report,
        seconds=case.seconds,
        truth=case.truth,
        wrong=wrong,
    )
    if arguments.json:
        print(json.dumps(played.report, ensure_ascii=False))
    _conclude(progress, folder, played.outcome, played.report, wrong)
    if arguments.verbose:
        progress.say(f"\nThe logs of this run: {logs}")
    if played.interrupted:
        return INTERRUPTED
    return 1 if wrong or any(played.report["left"].values()) else 0


def _case(arguments: argparse.Namespace) -> Case:
    if arguments.video is not None:
        return own_case(arguments.video, length_of(arguments.video), arguments.person)
    if arguments.webcam is not None:
        source = source_of(arguments.webcam)
        return camera_case(source, arguments.seconds, arguments.person)
    if arguments.person:
        raise InputError(
            "--person goes with --video or --webcam: the demo's own film has its own people"
        )
    return demo_case()


def _conclude(
    progress: Progress,
    folder: Path,
    outcome: Outcome,
    report: dict[str, Any],
    wrong: list[str],
) -> None:
    progress.say()
    for line in lines(outcome, report["left"]):
        progress.say(line)
    for difference in wrong:
        progress.say(f"Not as demo/film.json says: {difference}")
    progress.say(f"\nAll of it, with pictures: {folder / 'index.html'}")
    progress.say(NEXT)
