"""`./whosthere compare`: run one film through both engines on this laptop, and compare them."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cli.demo.comparison import ALLOWED, comparison_rows, find_unequal
from cli.demo.photos import read_people
from cli.demo.report import leaks_line
from cli.demo.runner import DemoRunner, FinishedDemo
from cli.demo.scenario import DEMO, DemoConfig, Scenario, demo_scenario, video_scenario
from cli.demo.video_source import film_seconds
from cli.errors import InputError
from cli.interrupts import Interrupts
from cli.progress import Progress
from cli.setup.laptop_stack import drop_aws_settings
from cli.setup.run_dirs import run_dir
from cli.tables import format_table

HELP = "run one film through both engines on this laptop, and compare what they see and cost"
EXAMPLE = "./whosthere compare --video me.mp4 --people photos"
ENGINES = ("stream-processor", "image-search")
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--video", type=Path, metavar="FILE", help="another film than the demo's")
    parser.add_argument(
        "--people",
        type=Path,
        metavar="FOLDER",
        help="with --video: who is enrolled; in it a folder NAME with photos for each person "
        "(default: the people of the demo)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--verbose", action="store_true", help="show what sam and the edge say, and keep the logs"
    )


def run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    """Run the film once by each engine, print both side by side and return the exit code."""
    progress = Progress(to_stderr=arguments.json)
    scenario = _scenario(arguments)
    finished = _run_engines(scenario, progress, interrupts, verbose=arguments.verbose)
    if interrupts.asked:
        progress.print("Stopped: nothing is compared.")
        progress.print(leaks_line(finished[-1].report["left"]))
        return INTERRUPTED
    runs = [one.result for one in finished]
    unequal = find_unequal(*runs)
    if arguments.json:
        print(json.dumps(_content(scenario, finished, unequal), ensure_ascii=False))
    progress.print()
    progress.print(format_table(comparison_rows(runs)))
    _print_differences(progress, unequal)
    left = [one.report["left"] for one in finished]
    for engine, items in zip(ENGINES, left, strict=True):
        progress.print(f"{engine}: {leaks_line(items)}")
    return 1 if unequal or any(any(items.values()) for items in left) else 0


def _run_engines(
    scenario: Scenario, progress: Progress, interrupts: Interrupts, *, verbose: bool
) -> list[FinishedDemo]:
    """Run the film by one engine after the other, until Ctrl-C; both at once would be slower."""
    downloads = drop_aws_settings()
    finished: list[FinishedDemo] = []
    with run_dir("compare", keep=verbose) as logs:
        for engine in ENGINES:
            interrupts.listen()  # the run before has ended with ignoring Ctrl-C
            folder = logs / engine
            folder.mkdir()
            progress.print(f"{engine}:")
            config = DemoConfig(scenario, engine, folder, downloads, verbose)
            finished.append(DemoRunner(config, progress, interrupts).run())
            if interrupts.asked:
                break
    return finished


def _scenario(arguments: argparse.Namespace) -> Scenario:
    """Return the demo's film or the given one; who is in it and not enrolled is a stranger."""
    if arguments.video is None:
        if arguments.people is not None:
            raise InputError("--people goes with --video: the demo's own film has its own people")
        return demo_scenario()
    seconds = film_seconds(arguments.video)
    people = read_people(arguments.people or DEMO / "people")
    return replace(video_scenario(arguments.video, seconds, ()), people=people)


def _print_differences(progress: Progress, unequal: Sequence[str]) -> None:
    progress.print()
    if unequal:
        progress.print("Not the same:")
        for difference in unequal:
            progress.print(f"  {difference}")
    else:
        progress.print("The same visits, people and strangers by both engines.")
    progress.print("What may differ, and why:")
    for allowed in ALLOWED:
        progress.print(f"  {allowed.what}: {allowed.why}")
    progress.print()


def _content(
    scenario: Scenario, finished: Sequence[FinishedDemo], unequal: Sequence[str]
) -> dict[str, Any]:
    """Return the object of `--json`."""
    return {
        "film": str(scenario.film),
        "engines": {
            str(one.result.session["engine"]): {
                "session": one.result.session,
                "visits": [asdict(visit) for visit in one.result.visits],
                "strangers": len(one.result.strangers),
                "records": one.result.records,
                "latencies": one.result.report["latencies"],
                "calls": one.result.report["calls"],
                "cost": one.result.report["cost"],
                "left": one.report["left"],
            }
            for one in finished
        },
        "unequal": list(unequal),
        "allowed": [asdict(allowed) for allowed in ALLOWED],
    }
