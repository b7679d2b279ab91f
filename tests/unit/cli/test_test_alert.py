"""The test alert reaches every subscriber, and says who has not confirmed."""

import json

import boto3
import pytest

from cli.aws.test_alert import Subscription, list_subscriptions, send_test_alert
from tests.support.records.alert_harness import START

POLICIES = {
    "all": None,
    "strangers": {"kind": ["stranger"]},
    "alice": {"person": ["p-alice"]},
    "beth": {"person": ["p-beth", "p-carol"], "kind": ["person"]},
    "back": {"camera": [{"prefix": "back-"}]},
}


@pytest.fixture
def clients(aws):
    return boto3.client("sns"), boto3.client("sqs")


@pytest.fixture
def topic(clients):
    return clients[0].create_topic(Name="whosthere-alerts")["TopicArn"]


def subscribe(clients, topic, name, policy):
    sns, sqs = clients
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    attributes = {"RawMessageDelivery": "true"}
    if policy:
        attributes["FilterPolicy"] = json.dumps(policy)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes=attributes)
    return queue


def test_every_subscriber_gets_it_whatever_its_filter_policy(clients, topic):
    queues = [subscribe(clients, topic, *item) for item in POLICIES.items()]
    found = send_test_alert(clients[0], topic, START)
    assert [json.loads(one.policy) if one.policy else None for one in found] == list(
        POLICIES.values()
    )
    for name, queue in zip(POLICIES, queues, strict=True):
        (message,) = clients[1].receive_message(QueueUrl=queue).get("Messages", [name])
        alert = json.loads(message["Body"])
        assert (alert["kind"], alert["captured"]) == ("test", "2027-01-15T08:00:00.000Z")
        assert alert["subject"].startswith("TEST")
        assert "nothing happened" in alert["message"]


def test_who_has_not_confirmed_is_named():
    class Sns:
        def get_paginator(self, _name):
            return self

        def paginate(self, **_given):
            mail = {"Protocol": "email", "Endpoint": "me@example.com"}
            yield {"Subscriptions": [mail | {"SubscriptionArn": "PendingConfirmation"}]}
            yield {"Subscriptions": [mail | {"SubscriptionArn": "arn:aws:sns:x"}]}

        def get_subscription_attributes(self, **_given):
            return {"Attributes": {"PendingConfirmation": "true"}}

    mail = Subscription("email", "me@example.com", is_confirmed=False, policy="")
    assert list_subscriptions(Sns(), "topic") == [mail, mail]


def test_a_topic_that_nobody_listens_to_is_no_error(clients, topic):
    assert send_test_alert(clients[0], topic, START) == []
