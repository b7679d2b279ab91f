"""Tries out who hears of an alert: a marked test alert to every subscriber."""

import json
from dataclasses import dataclass
from typing import Any

from whosthere.alerts import message as alerts
from whosthere.alerts.message import Alert
from whosthere.clock import iso

TEST = "test"
KINDS = (alerts.PERSON, alerts.STRANGER, alerts.SESSION, alerts.PROBLEM)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who gets alerts: by which protocol, where, and of which only, as SNS keeps the policy."""

    protocol: str
    endpoint: str
    is_confirmed: bool
    policy: str


def subscribers(sns: Any, topic_arn: str) -> list[Subscriber]:
    """All subscribers of the topic, those who have not confirmed yet included."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return [_subscriber(sns, found) for page in pages for found in page["Subscriptions"]]


def send_test(sns: Any, topic_arn: str, now_ms: int) -> list[Subscriber]:
    """Send a test alert and answer who is subscribed; only the confirmed ones get it.

    Its attributes have all values that the subscribers' filter policies ask for, so that
    one who wants strangers only gets it too. (Not so where a policy asks for the absence
    of something, or goes by the message's body.)
    """
    found = subscribers(sns, topic_arn)
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
    alerts.publish(
        sns, topic_arn, alert, {name: values for name, values in wanted.items() if values}
    )
    return found


def _values(rules: Any) -> set[str]:
    """Values that a policy's rules for one attribute take."""
    given = rules if isinstance(rules, list) else []
    exact = {rule for rule in given if isinstance(rule, str)}
    return exact | {rule["prefix"] for rule in given if isinstance(rule, dict) and "prefix" in rule}


def _subscriber(sns: Any, found: dict[str, str]) -> Subscriber:
    arn = found["SubscriptionArn"]
    # In place of an ARN SNS says that the confirmation is pending (SNS, Subscribe).
    if not arn.startswith("arn:"):
        return Subscriber(found["Protocol"], found["Endpoint"], is_confirmed=False, policy="")
    kept = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    is_confirmed = kept.get("PendingConfirmation", "false") != "true"
    return Subscriber(
        found["Protocol"], found["Endpoint"], is_confirmed, kept.get("FilterPolicy", "")
    )
