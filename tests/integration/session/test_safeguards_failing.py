"""The safeguards themselves fail, or two things at once: the next one finishes the job."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.tests.support.laptop.faults import meet
from tests.support.session.safeguards import (
    Told,
    abandoned,
    denied,
    is_told,
    watched,
)
from tests.support.stack.camera import streaming
from tests.support.stack.functions import invoke, without_rule

pytestmark = pytest.mark.long  # sessions that cannot be stopped wait through all retries
STOP = "rekognition:StopStreamProcessor"
THROTTLED, DENIED = "ThrottlingException", "AccessDeniedException"


@pytest.fixture(scope="module")
def camera(laptop, stack, tmp_path_factory):
    """The camera is on for all tests of this file."""
    with streaming(laptop, tmp_path_factory.mktemp("camera"), stack=stack.name):
        yield


@pytest.fixture(autouse=True)
def no_faults(laptop, camera):
    meet(laptop)
    yield
    meet(laptop)


def abort(product, execution):
    product.client("stepfunctions").stop_execution(executionArn=execution)


@pytest.mark.parametrize(
    ("operation", "error", "times"),
    [
        ("DescribeStreamProcessor", THROTTLED, 12),
        ("StopStreamProcessor", THROTTLED, 12),
        ("DeleteStreamProcessor", THROTTLED, 12),
        ("GetItem", "ProvisionedThroughputExceededException", 6),
        ("UpdateItem", "ProvisionedThroughputExceededException", 6),
    ],
)
def test_a_throttled_rule_function_is_patient(product, wait_until, operation, error, times):
    execution = watched(product, wait_until)
    fault = {"role": "whosthere-StopSessionFunctionRole-", "operation": operation, "error": error}
    meet(product.laptop, fault | {"times": times})
    abort(product, execution)
    wait_until(product.nothing_is_left, 90)
    assert product.report(execution)["endedBy"] == "aborted"
    assert is_told(product, wait_until, execution, "its execution was aborted")


@pytest.mark.parametrize("operation", ["DescribeStreamProcessor", "StopStreamProcessor"])
def test_a_rule_function_that_failed_is_tried_again(product, wait_until, operation):
    execution = watched(product, wait_until)
    fault = {"role": "whosthere-StopSessionFunctionRole-", "operation": operation, "error": DENIED}
    meet(product.laptop, fault | {"times": 1})
    abort(product, execution)
    wait_until(product.nothing_is_left, 60)
    assert product.report(execution)["endedBy"] == "not-stopped"
    told = Told(product, execution)
    wait_until(lambda: len(told.texts()) == 2)
    assert DENIED in told.texts()[0]
    assert "is stopped now" in told.texts()[1]


def test_a_rule_function_without_rights_leaves_it_to_the_sweep(product, wait_until):
    with denied(product, "StopSessionFunctionRole", STOP):
        execution = watched(product, wait_until)
        told = Told(product, execution)
        abort(product, execution)
        wait_until(told.texts)
        assert DENIED in told.texts()[0]
        assert product.processors()
        assert not product.is_free()
        invoke(product, "SweepSessionsFunction", {})
    assert product.nothing_is_left()
    wait_until(lambda: len(told.texts()) == 2)


@pytest.mark.parametrize(
    "operation", ["ListStreamProcessors", "DescribeExecution", "StopStreamProcessor"]
)
def test_a_throttled_sweep_is_patient(product, wait_until, operation):
    execution = abandoned(product, wait_until)
    fault = {
        "role": "whosthere-SweepSessionsFunctionRole-",
        "operation": operation,
        "error": THROTTLED,
    }
    meet(product.laptop, fault | {"times": 7})
    assert invoke(product, "SweepSessionsFunction", {})["locks"] == 1
    assert product.nothing_is_left()
    assert is_told(product, wait_until, execution, "the hourly sweep found it")


STOP_ROLE = {"role": "whosthere-StopSessionFunctionRole-", "times": 1}
DELETE_LIES = STOP_ROLE | {
    "operation": "DeleteStreamProcessor",
    "error": "ResourceNotFoundException",
}
STOP_DENIED = STOP_ROLE | {"operation": "StopStreamProcessor", "error": DENIED}
ABORTED = {"state": "StopSession", "do": "abort"}
TWO_FAILURES = {
    "cleanup denied, then aborted": [STOP_DENIED, ABORTED],
    "cleanup denied, stopping denied": [
        STOP_DENIED,
        {"state": "StopSession", "error": "Lambda.AccessDeniedException"},
    ],
    "deleting lies, then aborted": [DELETE_LIES, ABORTED],
    "started unheard, then aborted": [
        {"state": "StartProcessor", "error": "States.Timeout", "after": True},
        ABORTED,
    ],
    "created unheard, cleanup times out": [
        {"state": "CreateProcessor", "error": "States.Timeout", "after": True},
        {"state": "StopSession", "error": "States.Timeout"},
    ],
}


def broken(product, name, faults):
    """A session that meets these failures, and is asked to stop in case that it runs."""
    meet(product.laptop, *({"execution": name} | fault for fault in faults))
    settings = {"healthCheckSeconds": 1, "tell": ["problem"]}
    execution = product.execute(
        {"camera": "front-door", "minutes": 0.2, "settings": settings}, name
    )
    product.ended(execution, 90)
    return execution


@pytest.mark.parametrize("case", TWO_FAILURES)
def test_after_two_failures_the_rule_stops_it(product, wait_until, case):
    execution = broken(product, f"two-{list(TWO_FAILURES).index(case)}", TWO_FAILURES[case])
    wait_until(product.nothing_is_left, 30)
    wait_until(lambda: product.has_report(execution))
    wait_until(Told(product, execution).texts)


@pytest.mark.parametrize("case", TWO_FAILURES)
def test_after_two_failures_and_without_the_rule_the_sweep_does(product, wait_until, case):
    with without_rule(product):
        name = f"three-{list(TWO_FAILURES).index(case)}"
        execution = broken(product, name, TWO_FAILURES[case])
        assert not product.nothing_is_left()
        invoke(product, "SweepSessionsFunction", {})
    assert product.nothing_is_left()
    wait_until(Told(product, execution).texts)
    assert product.has_report(execution)


def test_a_start_whose_answer_was_lost_is_no_failure(product, wait_until):
    lost = {"state": "StartProcessor", "error": "Rekognition.SdkClientException"}
    meet(product.laptop, {"execution": "unheard", "after": True, "times": 1} | lost)
    settings = {"healthCheckSeconds": 1, "tell": ["problem"]}
    execution = product.execute(
        {"camera": "front-door", "minutes": 2, "settings": settings}, "unheard"
    )
    wait_until(lambda: product.is_watching(execution))
    product.stop()
    assert product.ended(execution)["status"] == "SUCCEEDED"
    assert product.nothing_is_left()


class Outcome(BaseHTTPRequestHandler):
    """Where CloudFormation waits for the answer of a custom resource."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_cloudformation_gets_an_answer_whatever_happens(product):
    with HTTPServer(("127.0.0.1", 0), Outcome) as server:
        server.answers = []
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        event = {
            "RequestType": "Update",  # without the properties that were
            "ResponseURL": f"http://127.0.0.1:{server.server_port}/",
            "ResourceProperties": {"Cameras": ["front-door"], "Engine": "stream-processor"},
            **dict.fromkeys(("StackId", "RequestId", "LogicalResourceId"), "one"),
        }
        invoke(product, "EndSessionsFunction", event)
        thread.join(timeout=10)
    (answer,) = server.answers
    assert answer["Status"] == "FAILED"
    assert "OldResourceProperties" in answer["Reason"]
