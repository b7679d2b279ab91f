"""`./whosthere demo`: run the whole product on this laptop, with a film for a door."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from cli.demo.output import result_folder, write_results
from cli.demo.report import leaks_line, summary_lines
from cli.demo.result import DemoResult, find_differences
from cli.demo.runner import DemoRunner, FinishedDemo
from cli.demo.scenario import (
    DemoConfig,
    Scenario,
    camera_scenario,
    demo_scenario,
    video_scenario,
)
from cli.demo.video_source import (
    CAMERA_SECONDS,
    FIRST_CAMERA,
    camera_seconds,
    camera_source,
    film_seconds,
)
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.review.laptop_page import serve_page
from cli.setup.laptop_stack import Stack, drop_aws_settings
from cli.setup.run_dirs import run_dir
from local.laptop import LaptopAWS

HELP = "see the whole product work on this laptop, with a film for a door"
EXAMPLE = './whosthere demo --video me.mp4 --person "Zoë=zoe.jpg"'
INTERRUPTED = 130
DECIDE = "Decide who the strangers are:  ./whosthere demo --keep"
NEXT = """\
Your own face:  ./whosthere demo --webcam --person "Me=me.jpg"    (or --video FILE)
Look around:    ./whosthere up
Put it on AWS:  sam build && sam deploy    (sam is in .whosthere/bin)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--video", type=Path, metavar="FILE", help="another film than the demo's")
    shown.add_argument(
        "--webcam",
        nargs="?",
        const=FIRST_CAMERA,
        metavar="SOURCE",
        help="a camera of this machine, or any other source of the edge, instead of a film",
    )
    parser.add_argument(
        "--seconds",
        type=camera_seconds,
        default=CAMERA_SECONDS,
        metavar="N",
        help="with --webcam: how long, 10 to 3600 (default: %(default)s)",
    )
    parser.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="NAME=PHOTO",
        help="with --video or --webcam: somebody to enroll, and a photo; may be repeated",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="a new folder for the results")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="go on to the owner's page, to decide who the strangers are, until Ctrl-C",
    )
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
    """Run the demo and return the exit code."""
    downloads = drop_aws_settings()
    progress = Progress(to_stderr=arguments.json)
    scenario = _scenario(arguments)
    look_around = _look_around(progress, interrupts) if arguments.keep else None
    with result_folder(arguments.output) as folder:
        with run_dir("demo", keep=arguments.verbose) as logs:
            config = DemoConfig(scenario, arguments.engine, logs, downloads, arguments.verbose)
            finished = DemoRunner(config, progress, interrupts, look_around).run()
        wrong: list[str] = []
        if scenario.truth is not None and not finished.interrupted:
            wrong = find_differences(finished.result, scenario.truth)
        write_results(folder, finished, scenario, wrong)
    if arguments.json:
        print(json.dumps(finished.report, ensure_ascii=False))
    if not arguments.keep or finished.interrupted:
        _print_summary(progress, finished.result)
    _print_end(progress, folder, finished, wrong)
    if not arguments.keep:
        progress.print(DECIDE)
    progress.print(NEXT)
    if arguments.verbose:
        progress.print(f"\nThe logs of this run: {logs}")
    if finished.interrupted:
        return INTERRUPTED
    return 1 if wrong or any(finished.report["left"].values()) else 0


def _scenario(arguments: argparse.Namespace) -> Scenario:
    if arguments.video is not None:
        return video_scenario(arguments.video, film_seconds(arguments.video), arguments.person)
    if arguments.webcam is not None:
        source = camera_source(arguments.webcam)
        return camera_scenario(source, arguments.seconds, arguments.person)
    if arguments.person:
        raise InputError(
            "--person goes with --video or --webcam: the demo's own film has its own people"
        )
    return demo_scenario()


def _look_around(
    progress: Progress, interrupts: Interrupts
) -> Callable[[LaptopAWS, Stack, DemoResult], None]:
    def serve(laptop: LaptopAWS, stack: Stack, result: DemoResult) -> None:
        _print_summary(progress, result)
        serve_page(laptop, stack, progress, interrupts)

    return serve


def _print_summary(progress: Progress, result: DemoResult) -> None:
    progress.print()
    for line in summary_lines(result):
        progress.print(line)


def _print_end(progress: Progress, folder: Path, finished: FinishedDemo, wrong: list[str]) -> None:
    progress.print(leaks_line(finished.report["left"]))
    for difference in wrong:
        progress.print(f"Not as demo/film.json says: {difference}")
    progress.print(f"\nAll of it, with pictures: {folder / 'index.html'}\n")
