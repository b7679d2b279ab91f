"""Alerts: what a phone, a machine and a filter policy get, by moto's SNS and SQS."""

import json

import boto3
import pytest

from whosthere.alerts.message import Alert, ascii_subject, publish

FACTS = {"name": "Zoë", "persons": ["Zoë"], "visit": "p-1-7", "similarity": 98.2}


def an_alert(**changed):
    told = {
        "kind": "person",
        "camera": "front-door",
        "session": "one",
        "subject": "Zoë at front-door 17:02",
        "text": "Zoë was seen at front-door at 17:02:13.",
        "facts": FACTS,
    }
    return Alert(**told | changed)


@pytest.fixture
def subscribed(aws):
    """Subscribe a queue to a new topic, with a filter policy, and say what it gets."""
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="alerts")["TopicArn"]

    def subscribe(policy=None):
        queue = sqs.create_queue(QueueName=f"q{id(policy)}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes=attributes,
        )

        def messages():
            found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            return [json.loads(message["Body"]) for message in found.get("Messages", ())]

        return messages

    subscribe.publish = lambda alert: publish(sns, topic, alert)
    return subscribe


def test_a_machine_gets_json_with_name_and_times(subscribed):
    messages = subscribed()
    subscribed.publish(an_alert())
    (message,) = messages()
    assert message["Subject"] == "Zoe at front-door 17:02"
    told = json.loads(message["Message"])
    assert told["name"] == "Zoë"
    assert (told["kind"], told["camera"], told["session"]) == ("person", "front-door", "one")
    assert told["message"] == "Zoë was seen at front-door at 17:02:13."
    assert told["sent"].endswith("Z") and told["sent"][:2] == "20"


POLICIES = [
    ({"kind": ["person"]}, ["Zoë", "Zoë or Alice"]),
    ({"kind": ["stranger"]}, ["s-1"]),
    ({"person": ["Zoë"]}, ["Zoë", "Zoë or Alice"]),
    ({"person": ["Alice"]}, ["Zoë or Alice"]),
    ({"stranger": ["s-1"]}, ["s-1"]),
    ({"camera": ["back-door"]}, []),
    ({"session": ["one"], "kind": ["person", "stranger"]}, ["Zoë", "Zoë or Alice", "s-1"]),
]


@pytest.mark.parametrize(("policy", "names"), POLICIES)
def test_a_filter_policy_chooses_by_attributes(subscribed, policy, names):
    messages = subscribed(policy)
    both = {"name": "Zoë or Alice", "persons": ["Zoë", "Alice"]}
    for alert in (
        an_alert(),
        an_alert(facts=both),
        an_alert(kind="stranger", facts={"name": "s-1", "stranger": "s-1"}),
        an_alert(kind="session", facts={}, session=""),
    ):
        subscribed.publish(alert)
    told = [json.loads(message["Message"])["name"] for message in messages()]
    assert sorted(told) == sorted(names)


SUBJECTS = [
    ("Zoë at front-door 17:02", "Zoe at front-door 17:02"),
    ("Jürgen Groß", "Jurgen Gross"),
    ("Øyvind Łukasz Þór", "Oyvind Lukasz Thor"),
    ("a\nb\t c", "a b c"),
    ("’n’ – x", "'n' - x"),
    ("x" * 200, "x" * 99),
    ("", "Whosthere"),
]


@pytest.mark.parametrize(("text", "subject"), SUBJECTS)
def test_a_subject_is_made_such_that_sns_takes_it(text, subject):
    assert ascii_subject(text) == subject


@pytest.mark.parametrize("text", ["李雷 at front-door", "Иван", "\u200b", "😀", "é" * 150])
def test_any_subject_is_ascii_in_one_line(text):
    subject = ascii_subject(text)
    assert subject.isascii() and subject.isprintable() and 0 < len(subject) < 100
