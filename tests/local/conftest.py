"""The running laptop AWS, and the real stack deployed into it once for all tests."""

import os
from collections.abc import Iterator

import pytest

from cli.stack import Sam, Stack, describe, forget_accounts, one_at_a_time
from local.laptop import LaptopAWS
from tests.local.edge_days import edge, patience, persisted, proxy, stream  # noqa: F401
from tests.local.faults import FAULTS
from tests.local.kinesisvideo_fixtures import (  # noqa: F401
    archive,
    film,
    media,
    stored,
    stream_arn,
    streams,
    unharmed,
    user,
)
from tests.local.model_checks import watch
from tests.local.owner import Door, subscribed


@pytest.fixture(scope="session", autouse=True)
def answers_keep_to_the_models() -> Iterator[None]:
    """Whatever Rekognition and Kinesis Video answer a test's client, AWS's models allow it."""
    end = watch()
    yield
    end()


@pytest.fixture(scope="session")
def downloads() -> Iterator[dict[str, str]]:
    """Nothing of an account in this process; what package downloads need is handed on."""
    before = dict(os.environ)
    yield forget_accounts()
    os.environ.clear()
    os.environ |= before


@pytest.fixture(scope="session")
def laptop(
    tmp_path_factory: pytest.TempPathFactory, downloads: dict[str, str]
) -> Iterator[LaptopAWS]:
    """A laptop AWS of its own for this run of the tests."""
    directory = tmp_path_factory.mktemp("laptop")
    settings = {"KVS_IMAGE_DELAY_SECONDS": "1", "LAPTOP_FAULTS": str(directory / FAULTS)}
    with LaptopAWS(directory, settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def stack(
    laptop: LaptopAWS, tmp_path_factory: pytest.TempPathFactory, downloads: dict[str, str]
) -> Stack:
    """The real template, built and deployed by sam."""
    sam = Sam("stream-processor", tmp_path_factory.mktemp("sam"), downloads, verbose=False)
    with one_at_a_time(), sam.building() as built:
        built()
        sam.deploy(laptop)
    return describe(laptop)


@pytest.fixture
def door(laptop: LaptopAWS, stack: Stack) -> Iterator[Door]:
    """The stack as its owner sees it, with an inbox of this test's own."""
    with subscribed(laptop, stack) as opened:
        yield opened
