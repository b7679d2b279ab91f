"""Alerts: what a phone, a machine and a filter policy get, by moto's SNS and SQS."""

import json
import unicodedata
from dataclasses import dataclass

import boto3
import pytest
from hypothesis import strategies

from tests.support.records.given_many import given_many
from whosthere.alerts.message import SUBJECT_LENGTH, Alert, one_line, publish
from whosthere.alerts.texts import person_alert

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
    assert message["Subject"] == "Zoë at front-door 17:02"
    told = json.loads(message["Message"])
    assert told["name"] == "Zoë"
    assert (told["kind"], told["camera"], told["session"]) == ("person", "front-door", "one")
    assert told["message"] == "Zoë was seen at front-door at 17:02:13."
    assert told["sent"].endswith("Z") and told["sent"][:2] == "20"


def test_a_message_says_the_moment_that_the_alert_has(subscribed):
    messages = subscribed()
    subscribed.publish(an_alert(sent_ms=1_800_000_000_123))
    (message,) = messages()
    assert json.loads(message["Message"])["sent"] == "2027-01-15T08:00:00.123Z"


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
    ("Zoë at front-door 17:02", "Zoë at front-door 17:02"),
    ("Jürgen Groß", "Jürgen Groß"),
    ("Postman? at front-door", "Postman? at front-door"),
    ("李雷 at front-door", "李雷 at front-door"),
    ("مرحبا بك", "مرحبا بك"),
    ("Ελένη", "Ελένη"),
    ("👩‍👧‍👦 at front-door", "👩‍👧‍👦 at front-door"),
    ("a\nb\t c", "a b c"),
    ("a\u2028b\x85c", "a b c"),
    ("bell\u0007", "bell"),
    ("\u202eecila", "ecila"),
    ("half \ud83d of one", "half of one"),
    ("x" * 200, "x" * 98 + "…"),
    ("", "Whosthere"),
    ("\u200b \ufeff", "Whosthere"),
]


@pytest.mark.parametrize(("text", "subject"), SUBJECTS)
def test_a_subject_is_utf_8_as_sns_takes_it(subscribed, text, subject):
    messages = subscribed()
    subscribed.publish(an_alert(subject=text))
    assert [message["Subject"] for message in messages()] == [subject]


def test_a_long_text_is_cut_between_characters():
    assert one_line("ab", 2) == "ab"
    assert one_line("abc", 2) == "a…"
    assert one_line("😀" * 60, 99) == "😀" * 49 + "…"
    assert one_line("a bcd", 3) == "a…"


@dataclass(frozen=True)
class SeenVisit:
    """The visit that an alert is about."""

    id: str = "p-1-7"
    who: str = "p-1"
    camera: str = "front-door"
    session: str = "one"
    similarity: float = 98.2
    is_probable: bool = False
    captured_ms: int = 1_800_000_000_000
    recognised_ms: int = 1_800_000_000_500


NAMES = ["长" * 300, "x" * 200, "😀" * 200, "مرحبا " * 40, "a " * 100]


@pytest.mark.parametrize("name", NAMES)
def test_a_long_name_is_cut_and_camera_and_time_are_not(subscribed, name):
    messages = subscribed()
    subscribed.publish(person_alert(SeenVisit(), [name], "UTC", 1_800_000_000_000))
    (message,) = messages()
    assert message["Subject"].endswith("… at front-door 08:00")
    assert len(message["Subject"].encode("utf-16-le")) // 2 <= SUBJECT_LENGTH
    told = json.loads(message["Message"])
    assert told["name"] == name and told["persons"] == [name]


@pytest.mark.parametrize("name", ["\u200b", "\u00a0", "\u3000", "\ufeff", "\u0301"])
def test_a_name_that_shows_nothing_is_somebody_you_know(name):
    alert = person_alert(SeenVisit(), [name], "UTC", 1_800_000_000_000)
    assert alert.subject == "Somebody you know at front-door 08:00"


@given_many(5_000, strategies.text(), strategies.lists(strategies.text(), min_size=1))
def test_whatever_a_text_is_sns_takes_its_subject(text, names):
    alert = person_alert(SeenVisit(), names, "UTC", 1_800_000_000_000)
    for subject in (alert.subject, one_line(text, SUBJECT_LENGTH)):
        assert len(subject.encode("utf-16-le")) // 2 <= SUBJECT_LENGTH
        assert not {unicodedata.category(letter) for letter in subject} & {"Cc", "Cs", "Zl", "Zp"}
    assert alert.subject.endswith(" at front-door 08:00")
