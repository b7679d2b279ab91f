"""Who hears of what: filter policies of real subscriptions, and the test alert."""

import json
from contextlib import contextmanager

import pytest

from cli.aws.test_alert import send_test_alert
from local.tests.support.laptop.parts import unique
from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.clock import now_ms

# As the README recommends them.
POLICIES = {
    "everything": None,
    "only strangers": {"kind": ["stranger"]},
    "only Alice": {"person": ["Alice"]},
    "only the back door": {"camera": ["back-door"]},
    "persons at the back door": {"camera": ["back-door"], "kind": ["person"]},
}


def person(name, camera, *more):
    names = [name, *more]
    facts = {"name": " or ".join(names), "persons": names, "visit": f"{name}-1"}
    return Alert("person", camera, "one", f"{name} at {camera}", "text", facts)


def stranger(camera):
    facts = {"name": "s-1", "stranger": "s-1", "visit": "s-1-1"}
    return Alert("stranger", camera, "one", f"Stranger at {camera}", "text", facts)


ALERTS = {
    "Alice in front": person("Alice", "front-door"),
    "Beth behind": person("Beth", "back-door"),
    "Alice or Beth in front": person("Alice", "front-door", "Beth"),
    "stranger in front": stranger("front-door"),
    "stranger behind": stranger("back-door"),
    "session in front": Alert("session", "front-door", "one", "Session", "text", {}),
}
WANTED = {
    "everything": set(ALERTS),
    "only strangers": {"stranger in front", "stranger behind"},
    "only Alice": {"Alice in front", "Alice or Beth in front"},
    "only the back door": {"Beth behind", "stranger behind"},
    "persons at the back door": {"Beth behind"},
}


@contextmanager
def queue(product, policy):
    """A queue on the stack's topic, behind a filter policy."""
    sqs, sns = product.client("sqs"), product.client("sns")
    url = sqs.create_queue(QueueName=unique("filtered"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": product.stack.topic_arn}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    attributes = {"RawMessageDelivery": "true"}
    subscription = sns.subscribe(
        TopicArn=product.stack.topic_arn,
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes=attributes | ({"FilterPolicy": json.dumps(policy)} if policy else {}),
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    try:
        yield Queue(product, url)
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=url)


class Queue:
    """A queue and what came into it."""

    def __init__(self, product, url):
        self.product, self.url, self.got = product, url, []

    def read(self):
        sqs = self.product.client("sqs")
        asked = {"QueueUrl": self.url, "MaxNumberOfMessages": 10}
        while found := sqs.receive_message(**asked).get("Messages", []):
            for message in found:
                self.got.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.got


@pytest.mark.parametrize("name", POLICIES)
def test_a_filter_policy_lets_through_what_it_says_and_test_alerts(product, wait_until, name):
    with queue(product, POLICIES[name]) as filtered:
        for label, alert in ALERTS.items():
            marked = Alert(
                alert.kind,
                alert.camera,
                alert.session,
                alert.subject,
                alert.text,
                dict(alert.facts) | {"label": label},
            )
            alerts.publish(product.client("sns"), product.stack.topic_arn, marked)
        found = send_test_alert(product.client("sns"), product.stack.topic_arn, now_ms())
        assert all(one.is_confirmed for one in found if one.protocol == "sqs")
        wait_until(lambda: any(got["kind"] == "test" for got in filtered.read()))
        labels = [got.get("label") for got in filtered.got if got["kind"] != "test"]
        assert sorted(labels) == sorted(WANTED[name])
        assert [got["kind"] for got in filtered.got].count("test") == 1


def test_an_address_that_has_not_confirmed_is_named(product):
    sns = product.client("sns")
    address = f"{unique('me')}@example.com"
    sns.subscribe(TopicArn=product.stack.topic_arn, Protocol="email", Endpoint=address)
    found = {one.endpoint: one for one in send_test_alert(sns, product.stack.topic_arn, now_ms())}
    assert (found[address].protocol, found[address].is_confirmed) == ("email", False)
