"""Messages and measurements: what AWS's services published of this stack in two weeks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.aws.target import Target
from cli.aws.test_alert import list_subscriptions

DAYS = 14


def _sum(target: Target, namespace: str, metric: str, **dimensions: str) -> float:
    now = datetime.now(UTC)
    found = target.session.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(days=DAYS),
        EndTime=now,
        Period=86400,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in found))


@pytest.fixture
def alarms(target: Target) -> list[dict[str, Any]]:
    """The stack's alarms."""
    pages = target.session.client("cloudwatch").get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{target.stack}-"
    )  # fmt: skip
    found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not found:
        pytest.skip("the stack has Alarms=off")
    return found


def test_the_metrics_of_the_alarms_are_published(
    target: Target, alarms: list[dict[str, Any]], answer: Callable[[str], None]
) -> None:
    """Which metrics that the alarms watch have been published?"""
    metrics = target.session.client("cloudwatch")
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for alarm in alarms:
        listed = metrics.list_metrics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
        )["Metrics"]
        seen[bool(listed)].add(alarm["MetricName"])
    answer(f"published: {sorted(seen[True])}; not yet: {sorted(seen[False] - seen[True])}")
    if not seen[True]:
        pytest.skip("no metric has been published yet: run a session first")


@pytest.mark.usefixtures("alarms")
def test_events_reach_the_topic_of_alarms(target: Target, answer: Callable[[str], None]) -> None:
    """May EventBridge publish to the topic of alarms, whose policy has no condition?"""
    resource = target.session.client("cloudformation").describe_stack_resource
    rule = resource(StackName=target.id, LogicalResourceId="RecordsGivenUp")
    name = rule["StackResourceDetail"]["PhysicalResourceId"].rpartition("/")[2]
    sent, failed = (
        _sum(target, "AWS/Events", metric, RuleName=name)
        for metric in ("Invocations", "FailedInvocations")
    )
    answer(f"{sent:.0f} events in {DAYS} days, {failed:.0f} not delivered")
    if not sent:
        pytest.skip(f"no record was given up in {DAYS} days, so no event was sent")
    assert not failed


def test_alerts_are_delivered(target: Target, answer: Callable[[str], None]) -> None:
    """Does SNS deliver the alerts by the protocols that are subscribed?"""
    topic = target.output("AlertTopicArn")
    subscribers = list_subscriptions(target.session.client("sns"), topic)
    protocols = sorted({one.protocol for one in subscribers if one.is_confirmed})
    delivered, failed = (
        _sum(target, "AWS/SNS", f"NumberOfNotifications{kind}", TopicName=topic.rpartition(":")[2])
        for kind in ("Delivered", "Failed")
    )
    answer(f"by {protocols}: {delivered:.0f} delivered in {DAYS} days, {failed:.0f} failed")
    if not delivered + failed:
        pytest.skip("no alert was sent: `./whosthere alert --try` sends one")
    assert not failed
