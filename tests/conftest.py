"""What all tests share: `--long`, and waiting with a deadline."""

import time
from collections.abc import Callable
from typing import Any

import pytest

POLL_SECONDS = 0.05


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests marked `long` run only when asked for."""
    parser.addoption("--long", action="store_true", help="also the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long ones unless `--long` was given."""
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="takes minutes; runs with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


def wait_until_true(condition: Callable[[], Any], seconds: float = 10) -> Any:
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
