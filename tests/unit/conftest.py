"""Fixtures of the unit tests: AWS by moto, in this process, with keys that open nothing."""

import argparse

import boto3
import pytest
from moto import mock_aws

from cli import talk
from cli.interrupts import Interrupts
from tests.unit.deployed import FIRST_LINE, deployed


@pytest.fixture(autouse=True)
def no_real_account(monkeypatch, tmp_path_factory):
    """Nothing of the caller's AWS configuration reaches a test."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    nowhere = str(tmp_path_factory.getbasetemp() / "no-such-file")
    monkeypatch.setenv("AWS_CONFIG_FILE", nowhere)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


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
    found = deployed(table)
    monkeypatch.setattr(talk, "find", lambda _stack: found)
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
