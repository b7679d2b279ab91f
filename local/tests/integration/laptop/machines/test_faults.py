"""Failures on demand: requests of a role and calls of states, refused or without an answer."""

import pytest

from local.tests.support.laptop.faults import first_met, meet
from local.tests.support.laptop.parts import (
    allow,
    invoke,
    make_function,
    make_machine,
    make_role,
    make_table,
    run,
    unique,
    waiting,
)

# Calls what it is asked to, and answers with the error's code or nothing.
CODE = """
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def handler(event, context):
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(event["service"], config=once)
    try:
        getattr(client, event["method"])(**event["parameters"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""
"""
EVERYTHING = allow(["dynamodb:*", "s3:*", "sns:*", "scheduler:*", "kinesisvideo:*"])


@pytest.fixture(autouse=True)
def no_faults_left(laptop):
    """What a test lets roles and executions meet ends with it."""
    yield
    meet(laptop)


@pytest.fixture(scope="module")
def role(laptop):
    """The ARN of the function's role."""
    return make_role(laptop, "lambda.amazonaws.com", EVERYTHING)


@pytest.fixture(scope="module")
def function(laptop, role):
    """A function that calls what it is asked to."""
    return make_function(laptop, CODE, role=role)


@pytest.fixture(scope="module")
def table(laptop):
    """A table with the keys pk and sk."""
    return make_table(laptop)


def put(table, key):
    """The event by which the function puts an item."""
    item = {"pk": key, "sk": "put"}
    parameters = {"TableName": table, "Item": {name: {"S": value} for name, value in item.items()}}
    return {"service": "dynamodb", "method": "put_item", "parameters": parameters}


def is_put(laptop, table, key):
    """Return whether the item is there."""
    keys = {"pk": {"S": key}, "sk": {"S": "put"}}
    return "Item" in laptop.client("dynamodb").get_item(TableName=table, Key=keys)


def fault(role, operation, **more):
    """A failure of the role's requests for the operation."""
    return {"role": role.rpartition("/")[2], "operation": operation, **more}


CALLS = {
    "PutObject": ("s3", "put_object", {"Bucket": "nowhere", "Key": "one"}),
    "ListBucket": ("s3", "list_objects_v2", {"Bucket": "nowhere", "Prefix": "one"}),
    "Publish": ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:none", "Message": "one"}),
    "DeleteSchedule": ("scheduler", "delete_schedule", {"Name": "one", "GroupName": "none"}),
    "DescribeStream": ("kinesisvideo", "describe_stream", {"StreamName": "one"}),
    "PutItem": ("dynamodb", "put_item", {"TableName": "one", "Item": {"pk": {"S": "one"}}}),
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_request_is_refused_in_whichever_protocol(laptop, role, function, operation):
    service, method, parameters = CALLS[operation]
    event = {"service": service, "method": method, "parameters": parameters}
    meet(laptop, fault(role, operation, error="AsAsked", status=409, contains=["one"]))
    assert invoke(laptop, function, event) == (None, "AsAsked")
    meet(laptop, fault(role, operation, error="AsAsked", contains=["two"]))
    assert invoke(laptop, function, event)[1] not in ("", "AsAsked")


def test_an_answer_is_lost_once_the_request_has_taken_effect(laptop, role, function, table):
    key = unique("lost")
    line = fault(role, "PutItem", error="InternalServerError", status=500, times=1, after=True)
    meet(laptop, line | {"execution": key})
    assert first_met(laptop, key) is None
    assert invoke(laptop, function, put(table, key)) == (None, "InternalServerError")
    assert is_put(laptop, table, key)
    assert first_met(laptop, key)
    assert invoke(laptop, function, put(table, key)) == (None, "")


def test_a_function_dies_once_its_request_has_taken_effect(laptop, role, function, table):
    key = unique("dies")
    meet(laptop, fault(role, "PutItem", do="die", times=1))
    error, _ = invoke(laptop, function, put(table, key))
    assert error
    assert is_put(laptop, table, key)
    assert invoke(laptop, function, put(table, key)) == (None, "")


def test_an_execution_is_aborted_once_a_call_has_taken_effect(laptop, table, wait_until):
    role = make_role(laptop, "states.amazonaws.com", allow("dynamodb:*"))
    machine = make_machine(laptop, role, {"Wait": waiting(table, 60, End=True)})
    name = unique("aborted")
    meet(laptop, {"execution": name, "state": "Wait", "do": "abort", "after": True})
    assert run(laptop, wait_until, machine, name=name)["status"] == "ABORTED"
    key = {"pk": {"S": name}, "sk": {"S": "lock"}}
    assert "token" in laptop.client("dynamodb").get_item(TableName=table, Key=key)["Item"]


def test_a_token_wait_whose_answer_is_lost_has_written_its_token(laptop, table, wait_until):
    role = make_role(laptop, "states.amazonaws.com", allow("dynamodb:*"))
    machine = make_machine(laptop, role, {"Wait": waiting(table, 60, End=True)})
    name = unique("unheard")
    meet(laptop, {"execution": name, "state": "Wait", "error": "Lost", "after": True})
    ended = run(laptop, wait_until, machine, name=name)
    assert (ended["status"], ended["error"]) == ("FAILED", "Lost")
    key = {"pk": {"S": name}, "sk": {"S": "lock"}}
    assert "token" in laptop.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
