"""Closing a session: report, lock, message; safe to repeat and true to its words."""

import json
import logging

import boto3
import pytest
from botocore.exceptions import ClientError

from whosthere import metrics, settings
from whosthere import session_store as sessions
from whosthere.geometry import Box
from whosthere.names import StackNames
from whosthere.people.store import person_key
from whosthere.session import lock as locks
from whosthere.session.close import ClosingContext, Ending, close, ending_of
from whosthere.session.health.hysteresis import (
    MOST_MESSAGES,
    CameraHealth,
    write_camera_health,
)
from whosthere.session_store import Session
from whosthere.visits.store import VisitLocation, current_key, save_visit
from whosthere.visits.visit import SENT, UnsureSightings, Visit

NOW = 1_800_000_000_000
BUCKET = "bucket"


@pytest.fixture
def s3(aws):
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def owner(aws):
    """The owner's inbox: a queue on a topic; called, it empties itself."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )

    def inbox():
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]

    inbox.sns, inbox.topic = sns, topic
    return inbox


def opened(table, session_id="one", **changes):
    values = settings.defaults() | changes
    session = Session(
        id=session_id,
        camera="front-door",
        engine="stream-processor",
        execution="arn:one",
        started_ms=NOW,
        deadline_ms=NOW + 60_000,
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(table, session, values)
    return session


def closed(table, s3, owner, by="stop", error="", cause="", now_ms=NOW + 30_000, **more):
    session = sessions.read_session(table, "one")
    return close(context(table, s3, owner), session, Ending(by, error, cause), now_ms, **more)


def context(table, s3, owner):
    names = StackNames("whosthere", BUCKET, owner.topic)
    stepfunctions, logger = boto3.client("stepfunctions"), logging.getLogger()
    return ClosingContext(table, s3, owner.sns, stepfunctions, names, logger)


def report(s3):
    return json.loads(s3.get_object(Bucket=BUCKET, Key="sessions/one.json")["Body"].read())


def visited(table, who, session="one", alert=SENT, opened_ms=NOW + 1000, **more):
    visit = Visit(
        camera="front-door",
        who=who,
        session=session,
        opened_ms=opened_ms,
        first_ms=opened_ms,
        last_ms=opened_ms + 2000,
        times=(opened_ms, opened_ms + 2000),
        sightings=2,
        similarity=97.5,
        persons=(who,),
        box=Box(0.1, 0.1, 0.2, 0.2),
        box_ms=opened_ms,
        alert=alert,
        captured_ms=opened_ms + 2000,
        recognised_ms=opened_ms + 2500,
        sent_ms=opened_ms + 2600 if alert == SENT else 0,
        **more,
    )
    save_visit(table, VisitLocation(None, None), visit)


def test_a_session_that_ended_as_planned_leaves_a_report_a_free_camera_and_no_message(
    table, s3, owner
):
    opened(table)
    visited(table, "p-1")
    visited(table, "s-1")
    answer = closed(table, s3, owner)
    assert answer == {
        "session": "one",
        "camera": "front-door",
        "endedBy": "stop",
        "succeeded": True,
        "error": "stop",
        "cause": "",
        "visits": 1,
        "strangers": 1,
        "report": "s3://bucket/sessions/one.json",
    }
    assert not sessions.latest_session(table, "front-door").held
    assert owner() == []
    written = report(s3)
    assert written["ended"] == "2027-01-15T08:00:30.000Z"
    assert written["visits"][0]["who"] == "p-1"
    assert written["visits"][0]["similarity"] == 97.5
    assert written["strangers"][0]["who"] == "s-1"


def test_visits_never_confirmed_and_other_sessions_visits_are_not_in_the_report(table, s3, owner):
    opened(table)
    visited(table, "p-1", alert="none")
    visited(table, "p-2", session="earlier")
    closed(table, s3, owner)
    assert report(s3)["visits"] == []


def test_counts_are_in_the_report(table, s3, owner):
    opened(table)
    metrics.add_counts(table, "one", {"records": 7, "unsure": 2})
    closed(table, s3, owner)
    assert report(s3)["counts"] == {"records": 7, "unsure": 2}


def test_the_message_names_the_person_that_unsure_faces_resemble_and_the_report_does_not(
    table, s3, owner
):
    opened(table)
    table.put_item(Item=person_key("p-1") | {"name": "Zoë", "version": 1})
    visited(table, "p-1", alert="none", unsure=UnsureSightings((NOW,), 38, 89.9))
    closed(table, s3, owner, "problem", "ProcessorFailed")
    (message,) = owner()
    advice = "\n38 unsure sightings, most like Zoë (89 %): a second photo helps.\n"
    assert advice in message["message"]
    assert report(s3)["unsurePersons"][0]["who"] == "p-1"
    assert "Zoë" not in json.dumps(report(s3), ensure_ascii=False)


def test_a_problem_is_told_with_its_error(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "problem", "ProcessorFailed", "FAILED: Access denied to Role")
    (message,) = owner()
    assert message["kind"] == "problem"
    assert "ProcessorFailed: FAILED: Access denied to Role" in message["message"]


def test_what_was_denied_is_told_with_causes_and_the_line_that_helps(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "denied", "Rekognition.AccessDeniedException", "")
    text = owner()[0]["message"]
    assert "Rekognition.AccessDeniedException" in text
    for cause in ("30 April 2026", "eu-west-1"):
        assert cause in text
    assert "iam:PassRole" not in text
    assert text.endswith(
        "sam deploy --parameter-overrides Engine=image-search --stack-name whosthere"
    )


def test_a_missing_right_is_told_with_the_rights_and_not_as_a_closed_service(table, s3, owner):
    opened(table)
    cause = "User: arn is not authorized to perform: rekognition:CreateStreamProcessor"
    closed(table, s3, owner, "problem", "Rekognition.AccessDeniedException", cause)
    text = owner()[0]["message"]
    assert cause in text and "iam:PassRole" in text
    assert "30 April 2026" not in text and "image-search" not in text
    assert text.endswith("sam deploy --stack-name whosthere")


@pytest.mark.parametrize(
    ("given", "by"),
    [
        ({"endedBy": "stop"}, "stop"),
        ({"Error": "States.Timeout", "Cause": ""}, "problem"),
        ({"Error": "Rekognition.AccessDeniedException", "Cause": ""}, "denied"),
        ({"Error": "Rekognition.AccessDeniedException"}, "denied"),
        *[
            ({"Error": "Rekognition.AccessDeniedException", "Cause": body}, "denied")
            for body in (
                '{"__type":"AccessDeniedException"}',
                "{'__type': 'AccessDeniedException'}",
                '{"__type":"com.amazonaws.rekognition#AccessDeniedException"}',
            )
        ],
        (
            {
                "Error": "Rekognition.AccessDeniedException",
                "Cause": '{"__type":"AccessDeniedException","Message":"User is not"}',
            },
            "problem",
        ),
        (
            {
                "Error": "Rekognition.AccessDeniedException",
                "Cause": "null (Service: Rekognition, Status Code: 400, Request ID: 1)",
            },
            "denied",
        ),
        (
            {
                "Error": "Rekognition.AccessDeniedException",
                "Cause": "User: arn:x is not authorized to perform: rekognition:Create"
                " (Service: Rekognition, Status Code: 400, Request ID: 1)",
            },
            "problem",
        ),
        ({"Error": "KinesisVideo.NotAuthorizedException", "Cause": ""}, "problem"),
        ({"Error": "Lambda.AccessDeniedException", "Cause": ""}, "problem"),
    ],
)
def test_only_a_stream_processors_denial_without_a_word_is_a_closed_service(given, by):
    assert ending_of(given).by == by


@pytest.mark.parametrize("fails", ["put_object", "counts", "time"])
def test_a_report_that_cannot_be_made_keeps_neither_the_lock_nor_the_message(
    table, s3, owner, fails
):
    opened(table)
    if fails == "counts":
        table.update_item(
            Key=sessions.session_key("one"),
            UpdateExpression="SET counts = :text",
            ExpressionAttributeValues={":text": "no map"},
        )
    elif fails == "time":
        visited(table, "p-alice")
        table.update_item(
            Key=current_key("front-door", "p-alice"),
            UpdateExpression="SET #first = :first",
            ExpressionAttributeNames={"#first": "first"},
            ExpressionAttributeValues={":first": 253_402_300_800_500},  # 10000-01-01
        )
    else:
        s3.delete_bucket(Bucket=BUCKET)
    answer = closed(table, s3, owner, "problem", "E", "why")
    assert answer["reportFailed"] and "report" not in answer
    assert not sessions.latest_session(table, "front-door").held
    (message,) = owner()
    assert "Its report could not be written.\nE: why" in message["message"]


def test_a_report_that_fails_is_told_by_the_try_that_writes_it(table, s3, owner):
    opened(table)
    s3.delete_bucket(Bucket=BUCKET)
    with pytest.raises(s3.exceptions.NoSuchBucket):
        closed(table, s3, owner, "problem", "E", "why", is_last_try=False)
    latest = sessions.latest_session(table, "front-door")
    assert (latest.held, latest.is_closed) == (False, False)
    assert owner() == []
    s3.create_bucket(Bucket=BUCKET)
    closed(table, s3, owner, "problem", "E", "why", is_last_try=False)
    assert report(s3)["endedBy"] == "problem"
    assert "Its report could not be written" not in owner()[0]["message"]
    assert sessions.latest_session(table, "front-door").is_closed


def test_an_end_that_cannot_be_noted_as_told_is_told_once(table, s3, owner, monkeypatch):
    """What is raised after the message would let the next try send it again."""
    opened(table)
    write, refused = table.update_item, []

    def update_item(**given):
        if "told" in given["UpdateExpression"]:
            refused.append(given)
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "UpdateItem")
        return write(**given)

    monkeypatch.setattr(table, "update_item", update_item)
    assert closed(table, s3, owner, "problem", "E", "why")["endedBy"] == "problem"
    assert len(refused) == 1
    assert len(owner()) == 1


@pytest.mark.parametrize(
    ("by", "succeeded"),
    [("stop", True), ("deadline", True), ("silence", True), ("no-media", True)]
    + [(by, False) for by in ("problem", "denied", "not-stopped", "overdue", "removed")],
)
def test_the_answer_says_whether_the_execution_has_succeeded(table, s3, owner, by, succeeded):
    opened(table)
    assert closed(table, s3, owner, by)["succeeded"] is succeeded


def test_what_ended_first_decides_whether_it_has_succeeded(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "overdue")
    again = closed(table, s3, owner, "stop")
    assert (again["succeeded"], again["error"]) == (False, "overdue")


@pytest.mark.parametrize(
    ("tell", "by", "kinds"),
    [
        (["problem"], "deadline", []),
        (["end"], "deadline", ["session"]),
        (["end"], "problem", []),
        ([], "problem", []),
        (["problem"], "no-media", ["problem"]),
    ],
)
def test_the_owner_is_told_what_the_settings_say(table, s3, owner, tell, by, kinds):
    opened(table, tell=tell)
    closed(table, s3, owner, by)
    assert [message["kind"] for message in owner()] == kinds


@pytest.mark.parametrize("by", ["problem", "denied", "not-stopped", "no-media", "swept"])
def test_nothing_holds_back_an_end_by_a_problem_and_it_says_what_to_do(table, s3, owner, by):
    full = CameraHealth(sent=(NOW,) * MOST_MESSAGES)
    write_camera_health(table, "front-door", full, NOW)
    opened(table, tell=["problem"], quietHours=["00:00-24:00"])
    closed(table, s3, owner, by)
    (message,) = owner()
    assert message["endedBy"] == by
    do = ["./whosthere start front-door", "sam deploy --param", "aws rekognition list-stream-pro"]
    assert any(one in message["message"].splitlines()[-1] for one in do)


def test_closing_twice_tells_once_and_the_first_ending_stays(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "problem", "E", "c")
    again = closed(table, s3, owner, "aborted", now_ms=NOW + 99_000)
    assert len(owner()) == 1
    assert again["endedBy"] == "problem"
    assert report(s3)["ended"] == "2027-01-15T08:00:30.000Z"


def test_a_late_safeguard_reports_and_tells_the_first_ending(table, s3, owner):
    """One that died after it had noted the ending, and before it told."""
    session = opened(table, tell=["problem"])
    sessions.end_session(table, session, "problem", NOW, error="E", cause="why")
    answer = closed(table, s3, owner, "aborted", "Other", "else")
    assert (answer["endedBy"], answer["error"], answer["cause"]) == ("problem", "E", "why")
    assert (report(s3)["error"], report(s3)["cause"]) == ("E", "why")
    (message,) = owner()
    assert message["message"].splitlines()[-2:] == [
        "E: why",
        "To start another session: ./whosthere start front-door --minutes N",
    ]
    assert (message["endedBy"], message["error"]) == ("problem", "E")


def test_a_planned_end_stays_one_whoever_finishes_it(table, s3, owner):
    session = opened(table, tell=["end"])
    sessions.end_session(table, session, "deadline", NOW)
    closed(table, s3, owner, "aborted")
    assert [message["kind"] for message in owner()] == ["session"]
    assert report(s3)["error"] == ""


def test_a_cause_in_a_message_has_a_bounded_length(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "problem", "E", "x" * 30_000)
    (message,) = owner()
    assert "E: " + 500 * "x" + "…" in message["message"]
    assert len(message["cause"]) == 501
    assert len(report(s3)["cause"]) == 30_000


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ('{"errorMessage": "no table", "errorType": "E", "stackTrace": ["a"]}', "no table"),
        ('{"errorType": "E"}', '{"errorType": "E"}'),
        ("[1]", "[1]"),
        ("no JSON", "no JSON"),
    ],
)
def test_the_cause_of_what_a_function_raised_is_its_message(cause, told):
    assert ending_of({"Error": "E", "Cause": cause}).cause == told


def test_what_the_rule_hands_on_keeps_its_word():
    given = {"endedBy": "failed", "Error": "Rekognition.AccessDeniedException", "Cause": ""}
    assert ending_of(given).by == "failed"


def test_a_death_between_freeing_the_camera_and_telling_loses_no_message(table, s3, owner):
    session = opened(table)
    sessions.end_session(table, session, "aborted", NOW)
    locks.unlock(table, session)
    closed(table, s3, owner, "aborted")
    closed(table, s3, owner, "aborted")
    assert len(owner()) == 1


def test_a_camera_whose_engine_may_still_run_stays_locked_until_it_is_stopped(table, s3, owner):
    opened(table)
    closed(table, s3, owner, "not-stopped", "Rekognition.ThrottlingException", "")
    assert sessions.latest_session(table, "front-door").held
    assert "could not be stopped" in owner()[0]["message"]
    closed(table, s3, owner, "failed")
    assert not sessions.latest_session(table, "front-door").held
    assert report(s3)["endedBy"] == "not-stopped"


def test_closing_late_does_not_free_the_next_session(table, s3, owner):
    first = opened(table)
    locks.unlock(table, first)
    opened(table, "two")
    closed(table, s3, owner, "aborted")
    latest = sessions.latest_session(table, "front-door")
    assert (latest.id, latest.held) == ("two", True)


def test_the_report_holds_no_name(table, s3, owner):
    """Forgetting somebody needs no search through old reports."""
    table.put_item(Item=person_key("p-1") | {"name": "Zoë"})
    opened(table)
    visited(table, "p-1")
    closed(table, s3, owner)
    assert "Zo" not in json.dumps(report(s3), ensure_ascii=False)
