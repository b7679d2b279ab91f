"""Fixtures of the unit tests: AWS by moto, in this process, with keys that open nothing."""

import argparse

import boto3
import pytest
from moto import mock_aws

from cli.aws import connect
from cli.interrupts import Interrupts
from tests.support.records.photo_cloud import cloud, photo  # noqa: F401
from tests.support.stack.moto_target import FIRST_LINE, deployed_target
from tests.support.stack.quick_moto import patch_moto


@pytest.fixture(scope="session", autouse=True)
def _moto_does_less_in_each_call():
    with pytest.MonkeyPatch.context() as patch:
        patch_moto(patch)
        yield


@pytest.fixture(autouse=True)
def _always_keyless(keyless: None) -> None:
    """Nothing of the caller's AWS configuration reaches a test."""


@pytest.fixture
def aws():
    """moto in place of AWS."""
    with mock_aws():
        yield


@pytest.fixture
def table(aws):
    """The product's table, empty, with the keys that template.yaml gives it."""
    dynamodb = boto3.resource("dynamodb")
    return dynamodb.create_table(
        TableName="whosthere",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


@pytest.fixture
def target(table, monkeypatch):
    """A stack in an account; every verb finds it."""
    found = deployed_target(table)
    monkeypatch.setattr(connect, "find_stack", lambda _stack: found)
    return found


@pytest.fixture
def verb(target, capsys):
    """Run a verb's module: its exit code and its answer. It says first where it is."""

    def run(module, *arguments):
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        code = module.run(parser.parse_args(arguments), Interrupts())
        said = capsys.readouterr()
        assert said.err.splitlines()[0] == FIRST_LINE
        return code, said.out

    return run
