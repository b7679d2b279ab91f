"""The running laptop AWS, one for each process of tests, and nothing of a real account near it."""

import os
from collections.abc import Iterator

import pytest

from local.laptop import LaptopAWS
from local.tests.support.laptop.faults import FAULTS
from local.tests.support.models.checks import watch

FACE_MODEL = "face-model"  # a file that a test writes a version into
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session")
def answers_keep_to_the_models() -> Iterator[None]:
    """Whatever Rekognition and Kinesis Video answer a test's client, AWS's models allow it."""
    end = watch()
    yield
    end()


@pytest.fixture(scope="session")
def no_account() -> Iterator[dict[str, str]]:
    """Nothing of an account in this process; what was in its environment before."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.upper().endswith("_PROXY"):
            del os.environ[name]
    os.environ |= NOWHERE
    yield before
    os.environ.clear()
    os.environ |= before


@pytest.fixture(scope="session")
def laptop(
    tmp_path_factory: pytest.TempPathFactory, no_account: dict[str, str]
) -> Iterator[LaptopAWS]:
    """A laptop AWS of its own for this run of the tests."""
    directory = tmp_path_factory.mktemp("laptop")
    settings = {
        "KVS_IMAGE_DELAY_SECONDS": "1",
        "LAPTOP_FAULTS": str(directory / FAULTS),
        "REKOGNITION_FACE_MODEL_FILE": str(directory / FACE_MODEL),
    }
    with LaptopAWS(directory, settings=settings) as running:
        yield running


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the caller's AWS configuration reaches a test, and its keys open nothing."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    nowhere = str(tmp_path_factory.getbasetemp() / "no-such-file")
    monkeypatch.setenv("AWS_CONFIG_FILE", nowhere)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
