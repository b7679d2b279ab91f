"""Odd events and rows around sessions: none is raised or left unanswered, none hides the next."""

import importlib
import json
import urllib.request
from contextlib import nullcontext
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import pytest
from hypothesis import strategies

from tests.support.records.alert_harness import a_table, empty
from tests.support.records.given_many import given_many
from tests.support.records.odd_batches import silent
from tests.support.records.odd_records import DEEP, odd_values
from tests.support.session.stop_harness import (
    NOW,
    ROLE,
    CheckingTopic,
    free,
    refusal,
    running,
    stop_context_of,
)
from whosthere.alerts import texts
from whosthere.alerts.message import publish
from whosthere.dynamodb import SCHEMA
from whosthere.people.collections import PeopleCollections, write_collections
from whosthere.session import stop as stopping
from whosthere.session import streams
from whosthere.session import sweep as sweeping
from whosthere.session.close import camera_asked_for, ending_of
from whosthere.session_store import lock_key, session_key

URL = "https://cloudformation-custom-resource-response.s3.amazonaws.com/one?X-Amz-Signature=s"
MOST_BYTES = 4096  # CloudFormation user guide, "Custom resource response objects"
VARIABLES = ("STACK", "BUCKET", "TOPIC_ARN", "TABLE", "DEADLINES", "PROCESSOR_ROLE")
LAMBDA = SimpleNamespace(
    function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="1"
)
CAMERAS = ["front-door", "back-door"]


@pytest.fixture
def context(monkeypatch):
    """What stops sessions, and a clock a second after they began."""
    for module in (stopping, sweeping):
        monkeypatch.setattr(module, "now_ms", lambda: NOW + 1000)
    with a_table() as table:
        s3 = SimpleNamespace(put_object=silent)
        yield stop_context_of(table, s3, CheckingTopic(), "arn:topic")


@pytest.fixture
def call(context, monkeypatch):
    """Call a handler, which stops sessions of this table."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "any")

    def run(name, event):
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "context", context)
        return module.handler(event, LAMBDA)

    return run


def begin_again(context):
    """Leave no row, engine or message but those of a session at the front door."""
    empty(context.table)
    context.rekognition.running.clear()
    context.closing.sns.subjects.clear()
    running(context)


causes = odd_values().map(json.dumps) | strategies.text() | strategies.just("[" * DEEP)
causes |= strategies.just("x" * 32_768) | strategies.just('{"errorMessage": {"a": [1]}}')
causes |= strategies.just('{"errorMessage": "\\ud800"}') | strategies.just("\ud800")
endings = strategies.fixed_dictionaries(
    {},
    optional={
        "endedBy": strategies.sampled_from(["aborted", "timed out", "failed"]),
        "Error": strategies.text() | strategies.just("Rekognition.AccessDeniedException"),
        "Cause": causes,
    },
)


@given_many(10_000, endings, odd_values() | causes)
def test_whatever_ended_an_execution_before_it_opened_the_owner_can_be_told(given, request_):
    alert = texts.unopened("one", camera_asked_for(request_), ending_of(given))
    publish(CheckingTopic(), "arn:topic", alert)


# An execution's name may be any text without control characters, of at most 80.
letters = strategies.characters(exclude_categories=["Cs", "Cc"])
ids = strategies.text(letters, min_size=1, max_size=80).filter(lambda one: one != "one")
statuses = strategies.sampled_from(["ABORTED", "TIMED_OUT", "FAILED"])
errors = strategies.none() | strategies.text(max_size=256)  # Step Functions, StopExecution
details = strategies.fixed_dictionaries(
    {"name": ids, "status": statuses},
    optional={"error": errors, "cause": strategies.none() | causes, "input": causes},
)
ended = details.map(lambda detail: {"detail": detail})
last_steps = strategies.fixed_dictionaries(
    {"session": ids, "ending": endings, "isLastTry": strategies.booleans()},
    optional={"request": odd_values() | causes},
)
others = strategies.builds(lambda one: {"overdue": one}, ids)
others |= strategies.builds(lambda one: {"session": one, "only": "engine"}, ids)


@given_many(2_000, ended | last_steps, others, details)
def test_every_ended_session_beside_odd_events_is_stopped(context, call, odd, other, detail):
    begin_again(context)
    told = context.closing.sns.subjects
    for event in (odd, other, odd):
        assert json.dumps(call("stop_session", event))
    assert len(told) == 1
    assert not free(context)
    answer = call("stop_session", {"detail": {**detail, "name": "one"}})
    assert answer["session"] == "one" and not answer["succeeded"]
    assert free(context) and not context.rekognition.running
    assert len(told) == 2


kept = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(0, 10**12) | strategies.text(),
    lambda inner: strategies.lists(inner, max_size=2) | strategies.dictionaries(letters, inner),
    max_leaves=4,
)
newer_rows = strategies.dictionaries(
    strategies.sampled_from(["settings", "counts", "check", "watch", "runningAt", "new"]), kept
)
arns = strategies.sampled_from(["front-door/1", "front-door", "side-door/1", "/1", "-/1"]).map(
    "arn:aws:kinesisvideo:us-east-1:111122223333:stream/whosthere-{}".format
)
arns |= strategies.sampled_from(["", "arn", "arn:aws:kinesisvideo:us-east-1:1:stream/shop-till/1"])
names = strategies.text("aB-_.1", max_size=20).map("whosthere-front-door{}".format)
processors = strategies.lists(strategies.tuples(names, arns), max_size=3)


@given_many(1_000, newer_rows, newer_rows, processors, processors)
def test_every_lost_session_beside_odd_rows_and_processors_is_stopped(
    context, lock, row, ours, foreign
):
    begin_again(context)
    running(context, "two", "back-door")
    context.stepfunctions.running.clear()
    for key, newer in ((lock_key("back-door"), lock), (session_key("two"), row)):
        whole = context.table.get_item(Key=key)["Item"] | newer | {"schemaVersion": SCHEMA + 1}
        context.table.put_item(Item=whole)
    for name, arn in ours:
        run_processor(context, name, arn, ROLE)
    for name, arn in foreign:
        run_processor(context, f"{name}-foreign", arn, "shop-Role")
    found = sweeping.sweep(
        context, ["back-door", "front-door"], engine="stream-processor", role_name=ROLE
    )
    assert found["locks"] == 2
    assert set(context.rekognition.running) == {f"{name}-foreign" for name, _ in foreign}
    assert free(context)
    assert not context.table.get_item(Key=lock_key("back-door"))["Item"]["held"]


def run_processor(context, name, arn, role):
    context.rekognition.run(name, role=role)
    context.rekognition.running[name]["Input"]["KinesisVideoStream"]["Arn"] = arn


class Kinesis:
    """Data streams of the two cameras."""

    def describe_stream_summary(self, *, StreamName):
        if StreamName not in [f"whosthere-{camera}" for camera in CAMERAS]:
            raise refusal("ResourceNotFoundException")
        return {"StreamDescriptionSummary": {"StreamStatus": "ACTIVE"}}


@pytest.fixture
def answers(call, monkeypatch):
    """Give an event to the custom resources' function: what CloudFormation got."""
    module = importlib.import_module("change_cameras")
    monkeypatch.setattr(module, "kinesis", Kinesis())
    monkeypatch.setitem(streams.wait_until_active.__kwdefaults__, "pause", silent)
    sent = []

    def put(request, timeout):
        sent.append(request)
        return nullcontext()

    monkeypatch.setattr(urllib.request, "urlopen", put)

    def answers_of(event):
        sent.clear()
        call("change_cameras", event)
        return list(sent)

    return answers_of


odd_names = odd_values() | strategies.sampled_from([*CAMERAS, "Front", "x" * 3000, "front-door\n"])
properties = strategies.fixed_dictionaries(
    {"Cameras": strategies.lists(odd_names, max_size=3) | odd_names},
    optional={"Engine": strategies.just("stream-processor") | odd_values()},
)
properties |= strategies.builds(
    lambda names: {"Cameras": names, "Engine": "stream-processor"},
    strategies.lists(odd_names, max_size=3),
)
HEAD = {"StackId": "arn:stack", "RequestId": "r", "LogicalResourceId": "SessionsInUse"}
changes = strategies.fixed_dictionaries(
    {
        **{name: strategies.just(value) for name, value in HEAD.items()},
        "ResponseURL": strategies.just(URL),
        "RequestType": strategies.sampled_from(["Create", "Update", "Delete"]),
        "ResourceType": strategies.sampled_from(["Custom::SessionsInUse", "Custom::StreamsActive"]),
        "ResourceProperties": properties | odd_values(),
    },
    optional={
        "OldResourceProperties": properties | odd_values(),
        "PhysicalResourceId": strategies.text(min_size=1, max_size=80),
    },
)


def leaves(event):
    """Whether a change ends the session at the front door, as far as its event is whole."""
    now, before = event["ResourceProperties"], event.get("OldResourceProperties")
    if event["ResourceType"] != "Custom::SessionsInUse" or not isinstance(now, dict):
        return False
    if event["RequestType"] == "Delete":
        return "front-door" in listed(now)
    if event["RequestType"] == "Create" or not isinstance(before, dict):
        return False
    stays = "front-door" in listed(now) and before.get("Engine") == now.get("Engine")
    return "front-door" in listed(before) and not stays


def listed(found):
    cameras = found.get("Cameras")
    return cameras if isinstance(cameras, list) else []


@given_many(2_000, changes)
def test_every_change_of_cameras_is_answered_once(context, answers, event):
    begin_again(context)
    (request,) = answers(event)
    assert (request.full_url, request.get_method()) == (URL, "PUT")
    assert len(request.data) <= MOST_BYTES
    answer = json.loads(request.data)
    assert {name: answer[name] for name in HEAD} == HEAD
    assert answer["PhysicalResourceId"] == event.get("PhysicalResourceId", "SessionsInUse")
    assert answer["Status"] == "SUCCESS" or (answer["Status"] == "FAILED" and answer["Reason"])
    assert free(context) == leaves(event)
    if leaves(event):
        assert answer["Status"] == "SUCCESS"


def deletion(**more):
    return {
        **HEAD,
        "ResponseURL": URL,
        "RequestType": "Delete",
        "ResourceProperties": {"Cameras": ["front-door"], "Engine": "image-search"},
        **more,
    }


def test_with_the_stack_go_the_collections_that_a_rebuild_made(context, answers):
    begin_again(context)
    context.rekognition.collections |= {f"whosthere-people.{number}" for number in (2, 3, 4)}
    write_collections(context.table, PeopleCollections(in_use=2, building=3))
    (request,) = answers(deletion())
    assert json.loads(request.data)["Status"] == "SUCCESS"
    assert context.rekognition.collections == set()


CAUSES = {
    "ascii": "x",
    "two bytes": "ä",
    "four bytes": "\U0001d15e",
    "quote": '"',
}


@pytest.mark.parametrize("cause", CAUSES.values(), ids=list(CAUSES))
def test_a_long_reason_is_cut_as_cloudformation_takes_it(context, answers, monkeypatch, cause):
    context.rekognition.fail_with = RuntimeError(cause * 5000)
    begin_again(context)
    (request,) = answers(deletion())
    assert MOST_BYTES / 2 < len(request.data) <= MOST_BYTES
    answer = json.loads(request.data)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"SessionsInUse, try again: {cause}")


def test_an_answer_that_is_lost_is_tried_again_by_lambda(call, monkeypatch):
    lost = iter([URLError("no route"), HTTPError(URL, 503, "busy", None, None)])

    def put(*_given, **_more):
        raise next(lost)

    monkeypatch.setattr(urllib.request, "urlopen", put)
    for _ in range(2):
        with pytest.raises(URLError):
            call("change_cameras", deletion())


def test_an_answer_that_is_refused_is_not_tried_again(call, monkeypatch):
    def put(*_given, **_more):
        raise HTTPError(URL, 403, "expired", None, None)

    monkeypatch.setattr(urllib.request, "urlopen", put)
    call("change_cameras", deletion())


def test_an_event_that_nobody_waits_for_ends_sessions_all_the_same(context, call):
    begin_again(context)
    event = deletion()
    del event["ResponseURL"]
    call("change_cameras", event)
    assert free(context)
