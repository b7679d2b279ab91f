"""The verbs about alerts: mute, alert, replay."""

import json
from unittest.mock import patch

import boto3
import pytest

from cli.commands import alert, mute, replay
from cli.errors import InputError, VerbError
from tests.support.stack.moto_target import BUCKET, MINUTE_MS
from whosthere import settings
from whosthere.alerts.mute import is_suppressed, mutes
from whosthere.clock import now_ms
from whosthere.people.photo_keys import person_id
from whosthere.people.store import person_key


@pytest.fixture
def alice(target, table):
    """Somebody who is enrolled."""
    person = person_id("Alice", target.id)
    key = person_key(person)
    table.put_item(Item=key | {"name": "Alice", "version": 1})
    target.session.client("s3").put_object(Bucket=BUCKET, Key="people/Alice/1.jpg", Body=b"jpeg")
    return person


def is_muted(table, who, moment):
    never_quiet = settings.from_values(settings.defaults())
    return is_suppressed(table, never_quiet, who, moment, moment)


def test_somebody_is_muted_by_name_listed_and_told_of_again(verb, table, alice):
    _, out = verb(mute, "Alice", "2h")
    assert out.startswith("Alice: muted until ")
    assert is_muted(table, [alice], now_ms() + 119 * MINUTE_MS)
    assert not is_muted(table, [alice], now_ms() + 121 * MINUTE_MS)
    verb(mute, "strangers", "45m")
    listed = json.loads(verb(mute, "--json")[1])["mutes"]
    assert {one["who"] for one in listed} == {"Alice", "strangers"}
    verb(mute, "Alice", "--off")
    assert not is_muted(table, [alice], now_ms())
    assert verb(mute, "strangers", "--off")[1] == "nobody is muted\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Alicia", "2h"], "did you mean Alice"),
        (["Alice"], "for how long"),
        (["Alice", "2h", "--off"], "for how long"),
        (["Alice", "soon"], "1h30m"),
    ],
)
def test_a_mute_that_would_mute_nobody_is_refused(verb, table, alice, words, told):
    with pytest.raises(InputError, match=told):
        verb(mute, *words)
    assert list(mutes(table)) == []


@pytest.fixture
def topic(target):
    """The stack's topic."""
    sns = boto3.client("sns")
    target.outputs["AlertTopicArn"] = sns.create_topic(Name="alerts")["TopicArn"]
    return target.outputs["AlertTopicArn"]


def test_a_test_alert_reaches_who_has_subscribed(verb, topic):
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    _, out = verb(alert)
    assert arn["QueueArn"] in out
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    _, out = verb(alert, "--try")
    assert "a test alert went to 1 of 1" in out
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


def test_an_alert_that_nobody_gets_is_no_success(verb, topic):
    with pytest.raises(InputError, match="nobody gets alerts"):
        verb(alert, "--try")


def test_nothing_to_replay_is_said(verb):
    assert verb(replay) == (0, "nothing has failed\n")


def test_failures_are_put_back_and_what_is_none_is_named(verb, target):
    kinesis, s3 = boto3.client("kinesis"), target.session.client("s3")
    kinesis.create_stream(StreamName="whosthere-front-door", ShardCount=1)
    arn = kinesis.describe_stream(StreamName="whosthere-front-door")["StreamDescription"]
    given = {
        "eventSourceARN": arn["StreamARN"],
        "kinesis": {"sequenceNumber": "1", "partitionKey": "p", "data": "e30="},
    }
    s3.put_object(Bucket=BUCKET, Key="failures/records/1.json", Body=json.dumps({"given": given}))
    s3.put_object(Bucket=BUCKET, Key="failures/records/odd.txt", Body=b"what is this?")
    code, out = verb(replay)
    assert (code, "whosthere-front-door: 1 records put back" in out) == (1, True)
    assert "failures/records/odd.txt" in out
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in listed] == ["failures/records/odd.txt"]


def test_nothing_is_put_back_unsaid_where_the_stack_has_no_queue_yet(verb, target):
    del target.outputs["DeadLetterQueueUrl"]  # a stack that an earlier version deployed
    with (
        patch.object(replay, "replay_failures") as put_back,
        pytest.raises(VerbError, match="no output DeadLetterQueueUrl; deploy it again"),
    ):
        verb(replay)
    put_back.assert_not_called()
