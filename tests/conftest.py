"""What all tests share: `--long`, which run in one process, and waiting with a deadline."""

import time
from collections.abc import Callable
from typing import Any

import pytest

POLL_SECONDS = 0.05


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests marked `long` run only when asked for."""
    parser.addoption("--long", action="store_true", help="also the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long ones unless `--long` was given, and keep together what shares fixtures."""
    skip = pytest.mark.skip(reason="takes minutes; runs with --long")
    for item in items:
        if "long" in item.keywords and not config.getoption("--long"):
            item.add_marker(skip)
        # A file's tests share its fixtures, those of the deployed stack a minute of sam.
        shares_stack = "stack" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("stack" if shares_stack else item.path.name))


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
