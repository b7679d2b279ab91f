"""The real stack, deployed once into the running laptop AWS for all tests of a process."""

from collections.abc import Iterator

import pytest

from cli.setup.laptop_stack import Sam, Stack, describe_stack, download_settings, sam_lock
from local.laptop import LaptopAWS
from local.tests.support.kinesisvideo.fixtures import stream  # noqa: F401
from tests.support.edge.faults import edge, persisted, proxy, timeouts  # noqa: F401
from tests.support.stack.deployed import DeployedProduct, subscribed


@pytest.fixture(scope="session", autouse=True)
def _all_answers_keep_to_the_models(answers_keep_to_the_models: None) -> None:
    """Whichever test asks."""


@pytest.fixture(scope="session")
def downloads(no_account: dict[str, str]) -> dict[str, str]:
    """What package downloads need of the environment that the tests were started in."""
    return download_settings(no_account)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, downloads: dict[str, str]) -> Sam:
    """What builds and deploys the real template, which is built: the next build is warm."""
    sam = Sam("stream-processor", tmp_path_factory.mktemp("sam"), downloads, verbose=False)
    with sam_lock(), sam.building() as done:
        done()
    return sam


@pytest.fixture(scope="session")
def stack(laptop: LaptopAWS, built: Sam) -> Stack:
    """The real template, built and deployed by sam."""
    with sam_lock():
        built.deploy(laptop)
    return describe_stack(laptop)


@pytest.fixture
def product(laptop: LaptopAWS, stack: Stack) -> Iterator[DeployedProduct]:
    """The stack as its owner sees it, with an inbox of this test's own."""
    with subscribed(laptop, stack) as opened:
        yield opened
