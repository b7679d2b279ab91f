"""Measure how long a decision takes from `aws s3 mv` to its effect, on the laptop AWS.

Twenty strangers are named and twenty ignored, one after the other, by the AWS CLI; then 500 are
ignored by one command. The time of the command itself, most of which is the start of the AWS
CLI, is printed beside it.
"""

import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import measure
from cli.progress import Progress
from cli.setup.laptop_stack import Sam, Stack, bring_up, drop_aws_settings, table_of
from local.laptop import LaptopAWS
from tests.support.page.seeded import pictures
from whosthere.dynamodb import Table
from whosthere.strangers import store
from whosthere.strangers.stranger import IGNORED, NAMED, PENDING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

queue: Any = importlib.import_module("tests.support.records.waiting_strangers")  # without types
DOWNLOADS = drop_aws_settings()
TIMES, AT_ONCE = 20, 500
LONGEST_S = 600
LIMITS = {"seconds to the name": 2.0, "seconds to be ignored": 2.0}


def once() -> Mapping[str, float]:
    """Deploy the stack, then decide."""
    with tempfile.TemporaryDirectory() as folder:
        sam = Sam("stream-processor", Path(folder), DOWNLOADS, verbose=False)
        laptop = LaptopAWS(Path(folder) / "laptop")
        try:
            stack = bring_up(laptop, sam, Progress(to_stderr=True))
            decider = Decider(laptop, stack, table_of(laptop, stack), laptop.client("s3"))
            named = [decider.time_one(f"s-1{number:011x}", NAMED) for number in range(TIMES)]
            ignored = [decider.time_one(f"s-2{number:011x}", IGNORED) for number in range(TIMES)]
            return {
                "seconds to the name": _median(named, 1),
                "seconds to be ignored": _median(ignored, 1),
                "seconds of the command": _median(ignored, 0),
                f"seconds to ignore {AT_ONCE}": decider.time_many(),
            }
        finally:
            laptop.stop()


@dataclass(frozen=True, slots=True)
class Decider:
    """The owner of a stack, who decides by the AWS CLI; the clients are made once."""

    laptop: LaptopAWS
    stack: Stack
    table: Table
    s3: "S3Client"

    def time_one(self, stranger: str, status: str) -> tuple[float, float]:
        """Decide about a new stranger; return the seconds of the command, and until the effect."""
        key = self._put(stranger)
        root = f"s3://{self.stack.bucket}"
        begun = time.monotonic()
        if status == NAMED:
            queue.aws_s3(self.laptop, "cp", f"{root}/{key}", f"{root}/people/{stranger}/")
        else:
            self._ignore(f"{stranger}/")
        ended = time.monotonic()

        def is_decided() -> bool:
            row = store.read_stranger(self.table, stranger)
            return row is not None and row.status == status

        _wait(is_decided)
        return ended - begun, time.monotonic() - ended

    def time_many(self) -> float:
        """Ignore many strangers by one command; return the seconds until all are."""
        strangers = {f"s-3{number:011x}" for number in range(AT_ONCE)}
        for stranger in strangers:
            self._put(stranger)
        begun = time.monotonic()
        self._ignore("")
        print(f"{AT_ONCE} moved in {time.monotonic() - begun:.1f} s")

        def are_ignored() -> bool:
            statuses = store.listed(self.table)
            return all(statuses[one] == IGNORED for one in strangers)

        _wait(are_ignored)
        return time.monotonic() - begun

    def _put(self, stranger: str) -> str:
        picture = pictures()["s-1"] + stranger.encode()  # of each stranger bytes of its own
        key: str = queue.put_stranger(self.table, self.s3, self.stack.bucket, stranger, picture)
        return key

    def _ignore(self, folder: str) -> None:
        here, there = (
            f"s3://{self.stack.bucket}/review/{status}/{folder}" for status in (PENDING, IGNORED)
        )
        queue.aws_s3(self.laptop, "mv", "--recursive", here, there)


def _median(times: list[tuple[float, float]], part: int) -> float:
    return statistics.median(time[part] for time in times)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > until:
            sys.exit("the decision has no effect")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(0 if measure(once, LIMITS, runs=1) else 1)
