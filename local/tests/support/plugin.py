"""What all tests share: `--long`, their order and processes, figures, waiting with a deadline."""

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

POLL_SECONDS = 0.05
SAID = "said"
LONG_SECONDS = 1800
OBJECTS_BEFORE_COLLECTION = 20_000
PLACES = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests marked `long` run only when asked for."""
    parser.addoption("--long", action="store_true", help="also the tests that take minutes")
    parser.addini("slowest_first", "files that start before all others", type="linelist")
    parser.addini("one_process", "`GROUP FILE`: files of a group share a process", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what pytest compiles, or each process of each run compiles all tests."""
    sys.dont_write_bytecode = False
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)  # modules and tests are many, and stay


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note the place of a test's file: among the slowest, or after them as it was collected."""
    slowest, file = item.config.getini("slowest_first"), file_of(item.nodeid)
    places = item.config.stash.setdefault(PLACES, {name: at for at, name in enumerate(slowest)})
    places.setdefault(file, len(places))


@pytest.hookimpl(tryfirst=True)  # pytest itself groups by fixtures then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave of pytest-randomly's order only that inside a file; skip or prolong the long tests."""
    items.sort(key=lambda item: config.stash[PLACES][file_of(item.nodeid)])
    skip = pytest.mark.skip(reason="takes minutes; runs with --long")
    for item in items:
        if "long" not in item.keywords:
            continue
        if not config.getoption("--long"):
            item.add_marker(skip)
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


def pytest_collection_finish() -> None:
    """Keep Python's garbage collection off modules and tests."""
    gc.freeze()


class TogetherWhatShares(LoadScopeScheduling):
    """Tests of one file, and those of a group (`one_process`), run in one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = file_of(nodeid)
        lines = (line.split() for line in self.config.getini("one_process"))
        return {path: group for group, path in lines}.get(file, file)


@pytest.hookimpl(optionalhook=True)  # without xdist there is nothing to schedule
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherWhatShares:
    """Which tests run in one process."""
    return TogetherWhatShares(config, log)


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """`say(text)`: a figure or a table for the end of the run, whichever process has it."""
    return partial(record_property, SAID)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests had to say."""
    reports = [one for found in terminalreporter.stats.values() for one in found]
    calls = [one for one in reports if getattr(one, "when", "") == "call"]
    said = [text for one in calls for name, text in one.user_properties if name == SAID]
    if said:
        terminalreporter.section("figures")
    for text in said:
        terminalreporter.write_line(text)


def wait_until_true(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What the condition gives once it is true; fails when the deadline passes first."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            pytest.fail(f"not true within {seconds} s: {condition.__doc__ or condition}")
        time.sleep(POLL_SECONDS)
    return found


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """`wait_until(condition, seconds)`: what the condition gives once it is true."""
    return wait_until_true
