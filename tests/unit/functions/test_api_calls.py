"""What was called how often: as clients call, and as an execution's history tells."""

import boto3
import pytest
from botocore.exceptions import ClientError

from whosthere import session_store as sessions
from whosthere.metrics import ApiCallCounter, calls_of_execution


def test_calls_are_counted_by_service_and_operation_until_they_are_taken(table):
    counting = ApiCallCounter()
    counting.watch(table.meta.client, boto3.client("sns"))
    table.get_item(Key=sessions.lock_key("front-door"))
    table.get_item(Key=sessions.lock_key("back-door"))
    assert counting.take() == {"dynamodb:GetItem": 2}
    assert counting.take() == {}


def test_a_client_that_is_not_watched_is_not_counted(table):
    counting = ApiCallCounter()
    counting.watch(boto3.client("dynamodb"))
    table.get_item(Key=sessions.lock_key("front-door"))
    assert counting.take() == {}


def scheduled(kind, resource):
    details = {"resourceType": kind, "resource": resource, "region": "r", "parameters": "{}"}
    return {"type": "TaskScheduled", "taskScheduledEventDetails": details}


HISTORY = [
    {"type": "ExecutionStarted"},
    {"type": "TaskStateEntered"},
    scheduled("lambda", "invoke"),
    {"type": "TaskFailed"},
    scheduled("lambda", "invoke"),
    {"type": "TaskSucceeded"},
    {"type": "ChoiceStateEntered"},
    {"type": "TaskStateEntered"},
    scheduled("aws-sdk:dynamodb", "updateItem.waitForTaskToken"),
]


class History:
    """Step Functions, as far as it tells of an execution."""

    def __init__(self, *pages):
        self.pages = pages

    def get_paginator(self, _operation):
        return self

    def paginate(self, **_):
        yield from ({"events": page} for page in self.pages)


def test_a_retry_is_a_transition_and_a_call():
    assert calls_of_execution(History(HISTORY), "arn:one") == {
        "states:Transition": 4,
        "lambda:Invoke": 2,
        "dynamodb:UpdateItem": 1,
    }


@pytest.mark.parametrize("page", range(1, len(HISTORY)))
def test_it_does_not_matter_where_a_page_ends(page):
    whole = calls_of_execution(History(HISTORY), "arn:one")
    assert calls_of_execution(History(HISTORY[:page], HISTORY[page:]), "arn:one") == whole


def test_the_emulators_spelling_of_a_task_is_understood_too():
    arn = "arn:aws:states:::aws-sdk:rekognition:createStreamProcessor"
    found = calls_of_execution(History([scheduled("states", arn)]), "arn:one")
    assert found["rekognition:CreateStreamProcessor"] == 1


def test_a_history_that_cannot_be_read_is_none():
    class Refused(History):
        def paginate(self, **_):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetExecutionHistory")

    assert calls_of_execution(Refused(), "arn:one") == {}
