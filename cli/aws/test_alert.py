"""List the subscriptions to the alerts, and send a marked test alert to each of them."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from whosthere.alerts.message import PERSON, PROBLEM, SESSION, STRANGER, Alert, publish
from whosthere.clock import iso

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef

TEST = "test"
KINDS = (PERSON, STRANGER, SESSION, PROBLEM)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber of the topic: protocol, endpoint, and filter policy as SNS stores it."""

    protocol: str
    endpoint: str
    is_confirmed: bool
    policy: str


def list_subscriptions(sns: "SNSClient", topic_arn: str) -> list[Subscription]:
    """Return all subscriptions of the topic, including unconfirmed ones."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return [_subscriber(sns, found) for page in pages for found in page["Subscriptions"]]


def send_test_alert(sns: "SNSClient", topic_arn: str, now_ms: int) -> list[Subscription]:
    """Send a test alert and return all subscriptions; only confirmed ones receive it.

    Its attributes have all values that the subscribers' filter policies ask for, so that a
    subscriber to strangers only receives it too. (Not so if a policy asks for the absence of an
    attribute, or filters by the message's body.)
    """
    found = list_subscriptions(sns, topic_arn)
    alert = Alert(
        kind=TEST,
        camera="",
        session="",
        subject="TEST: this is how Whosthere tells you",
        text="This is a test, nothing happened. Whoever gets this message gets alerts.",
        facts={"captured": iso(now_ms)},
    )
    wanted: dict[str, set[str]] = {"kind": {TEST, *KINDS}}
    for subscriber in found:
        for name, rules in json.loads(subscriber.policy or "{}").items():
            wanted.setdefault(name, set()).update(_values(rules))
    publish(sns, topic_arn, alert, {name: values for name, values in wanted.items() if values})
    return found


def _values(rules: Any) -> set[str]:
    """Return the values that a policy's rules for one attribute accept."""
    given = rules if isinstance(rules, list) else []
    exact = {rule for rule in given if isinstance(rule, str)}
    return exact | {rule["prefix"] for rule in given if isinstance(rule, dict) and "prefix" in rule}


def _subscriber(sns: "SNSClient", found: "SubscriptionTypeDef") -> Subscription:
    arn = found["SubscriptionArn"]
    # Before confirmation SNS returns a text instead of an ARN (SNS, Subscribe).
    if not arn.startswith("arn:"):
        return Subscription(found["Protocol"], found["Endpoint"], is_confirmed=False, policy="")
    kept = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    is_confirmed = kept.get("PendingConfirmation", "false") != "true"
    return Subscription(
        found["Protocol"], found["Endpoint"], is_confirmed, kept.get("FilterPolicy", "")
    )
