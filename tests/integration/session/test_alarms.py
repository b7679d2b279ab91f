"""What watches over the system itself: each alarm, fired by its own metric, reaches its topic.

The laptop's CloudWatch takes the metrics that AWS's services publish from a test, and looks at
none of their dimensions; those are held against what AWS documents. The functions' own metrics
come from real failures.
"""

import time
from datetime import UTC, datetime, timedelta

import pytest

from local.tests.support.laptop.parts import unique
from tests.support.records.data_stream import a_session, enrolled, poison, put, visit
from tests.support.stack.deployed import inbox_of, taken
from tests.support.stack.outages import function, logged, refused
from whosthere.alarm_metrics import FAILED_EVENT_AGE, NAMESPACE, SET_ASIDE
from whosthere.clock import now_ms
from whosthere.session_store import latest_session, session_key

# Developer guides: Lambda "Types of metrics", SQS and SNS "Available CloudWatch metrics".
DOCUMENTED = {
    "AWS/Lambda": {"IteratorAge": {"FunctionName"}},
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage": {"QueueName"},
        "ApproximateNumberOfMessagesVisible": {"QueueName"},
    },
    "AWS/SNS": {"NumberOfNotificationsFailed": {"TopicName"}},
}
OURS = {SET_ASIDE, FAILED_EVENT_AGE}


@pytest.fixture(scope="module")
def topic(stack):
    return stack.topic_arn.replace("-alerts", "-alarms")


@pytest.fixture
def told(laptop, topic):
    """Gives what came to the topic of alarms since it was asked last."""
    with inbox_of(laptop, topic) as inbox:
        yield lambda: taken(laptop.client("sqs"), inbox)


def alarms(laptop, topic):
    """Those of this stack: another one may be deployed beside it."""
    pages = laptop.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = [one for page in pages for one in page["MetricAlarms"]]
    return [one for one in found if one["AlarmActions"] == [topic]]


def test_each_alarm_is_on_a_documented_metric_of_something_that_is_there(
    laptop, stack, topic, product
):
    found = alarms(laptop, topic)
    assert len(found) == 7
    there = {
        "FunctionName": {function(product, word)["FunctionName"] for word in ("AlertP", "QueueS")},
        "QueueName": {f"{stack.name}-{queue}" for queue in ("objects", "dead-letters")},
        "TopicName": {f"{stack.name}-alerts"},
    }
    for alarm in found:
        names = {one["Name"] for one in alarm["Dimensions"]}
        if alarm["Namespace"] == NAMESPACE:
            assert alarm["MetricName"] in OURS
            assert alarm["Dimensions"] == [{"Name": "service", "Value": stack.name}]
            continue
        assert names == DOCUMENTED[alarm["Namespace"]][alarm["MetricName"]]
        for one in alarm["Dimensions"]:
            assert one["Value"] in there[one["Name"]]


def test_each_alarm_reaches_its_topic(laptop, topic, told, wait_until):
    cloudwatch, fired = laptop.client("cloudwatch"), []
    for alarm in alarms(laptop, topic):
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="before the test"
        )
        datum = {
            "MetricName": alarm["MetricName"],
            "Dimensions": alarm["Dimensions"],
            # Not of this minute, of which another test reads the metric.
            "Timestamp": datetime.now(UTC) - timedelta(seconds=0.8 * alarm["Period"]),
            "Value": alarm["Threshold"] + 1,
        }
        cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])
    expected = {alarm["AlarmName"] for alarm in alarms(laptop, topic)}

    def all_fired():
        fired.extend(one for one in told() if one.get("NewStateValue") == "ALARM")
        return {one["AlarmName"] for one in fired} >= expected

    wait_until(all_fired)
    assert all(one["AlarmDescription"].endswith(".") for one in fired)


def test_what_a_mapping_gave_up_is_told_with_its_place(laptop, stack, told, wait_until):
    s3, key = laptop.client("s3"), f"aws/lambda/{unique('mapping')}/shardId-000000000000/one"
    s3.put_object(Bucket=stack.bucket, Key=key, Body=b"{}")
    texts = wait_until(lambda: [one for one in told() if isinstance(one, str)])
    s3.delete_object(Bucket=stack.bucket, Key=key)
    assert len(texts) == 1
    assert f"s3://{stack.bucket}/{key}. " in texts[0] and "./whosthere replay" in texts[0]


def one_alarm(laptop, topic, word):
    """The stack's alarm with that word in its name, back in the state OK."""
    (alarm,) = [one for one in alarms(laptop, topic) if word in one["AlarmName"]]
    laptop.client("cloudwatch").set_alarm_state(
        AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="before the test"
    )
    return alarm


def test_poison_that_a_function_sets_aside_fires_its_alarm(
    laptop, product, topic, told, wait_until
):
    alarm = one_alarm(laptop, topic, "RecordsSetAside")
    told()
    with a_session(product.table):
        (number,) = put(laptop, poison(now_ms()))
        fired = []

        def has_fired():
            fired.extend(one for one in told() if one.get("AlarmName") == alarm["AlarmName"])
            return "ALARM" in {one["NewStateValue"] for one in fired}

        wait_until(has_fired, 90)

        def is_said():
            # The other function that reads the record may have fired the alarm.
            return number in [
                one["record"] for one in logged(product, "AlertPerson", "record set aside")
            ]

        wait_until(is_said)


@pytest.mark.long  # five minutes
def test_five_minutes_of_refusals_lose_and_double_nothing_and_fire_the_alarm_of_late_records(
    laptop, stack, product, topic, told, wait_until
):
    """SNS, DynamoDB and S3 at once; the alarm goes by the metric that the mapping publishes."""
    cloudwatch, fired, got = laptop.client("cloudwatch"), [], []
    alice = enrolled(product.table, "Alice")
    late = next(one for one in alarms(laptop, topic) if "PersonsReadLate" in one["AlarmName"])

    def has_fired(state):
        # Any value makes the laptop's CloudWatch look at its alarms.
        datum = {"MetricName": "tick", "Value": 1}
        cloudwatch.put_metric_data(Namespace=unique("test"), MetricData=[datum])
        fired.extend(one for one in told() if one.get("AlarmName") == late["AlarmName"])
        return state in {one["NewStateValue"] for one in fired}

    def alerts():
        got.extend(one for one in product.messages() if one.get("visit", "").startswith(alice))
        return got

    services = ["sns:Publish", "dynamodb:*", "s3:PutObject"]
    with a_session(product.table, gapSeconds=3600):
        with refused(product, services, "AlertPerson", "QueueStranger"):
            begun = time.monotonic()
            first, second = visit(alice, now_ms(), now_ms() + 400)
            _, number, _ = put(laptop, first, poison(now_ms() + 200), second)
            wait_until(lambda: time.monotonic() > begun + 290, 300)
            # Whatever another test gave the metric is past its minute by now.
            cloudwatch.set_alarm_state(
                AlarmName=late["AlarmName"], StateValue="OK", StateReason="nearly five minutes"
            )
            wait_until(lambda: has_fired("ALARM"), 120)
            assert time.monotonic() > begun + 300
            assert not alerts()
        wait_until(alerts, 120)
        key = f"failures/records/{number}.json"
        listed = {"Bucket": stack.bucket, "Prefix": key}
        wait_until(lambda: laptop.client("s3").list_objects_v2(**listed)["KeyCount"], 120)
        put(laptop, *visit(alice, now_ms(), now_ms() + 400))  # within the gap: no second alert
        wait_until(lambda: counted(product) >= 4, 60)
    assert len(alerts()) == 1


def test_a_photo_that_fails_for_long_fires_the_alarm_of_failing_events(
    laptop, stack, product, topic, told, wait_until
):
    """An alarm as the stack's, but after three seconds instead of five minutes."""
    alarm = one_alarm(laptop, topic, "EventsFailing")
    assert (alarm["MetricName"], alarm["Threshold"]) == (FAILED_EVENT_AGE, 300)
    name, cloudwatch, s3 = unique("sooner"), laptop.client("cloudwatch"), laptop.client("s3")
    wait_until(lambda: highest(cloudwatch, alarm) <= 3, 90)  # nothing fails in another test
    same = ("Namespace", "MetricName", "Dimensions", "Statistic", "EvaluationPeriods")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        **{field: alarm[field] for field in (*same, "ComparisonOperator", "AlarmActions")},
        Threshold=3,
        Period=60,
    )
    fired, begun, key = [], time.monotonic(), f"people/{unique('Somebody')}/1.jpg"

    def has_fired():
        fired.extend(one for one in told() if one.get("AlarmName") == name)
        return "ALARM" in {one["NewStateValue"] for one in fired}

    with refused(product, "dynamodb:*", "ReconcileObject"):
        s3.put_object(Bucket=stack.bucket, Key=key, Body=b"no photo")
        wait_until(has_fired, 90)
        assert time.monotonic() > begun + 3
    s3.delete_object(Bucket=stack.bucket, Key=key)
    cloudwatch.delete_alarms(AlarmNames=[name])


def highest(cloudwatch, alarm):
    """The highest value of an alarm's metric in the last minute, or 0."""
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        **{field: alarm[field] for field in ("Namespace", "MetricName", "Dimensions")},
        StartTime=now - timedelta(seconds=60),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    return max((one["Maximum"] for one in found["Datapoints"]), default=0)


def counted(product):
    """Records with a face of the last session that the functions have used."""
    session = latest_session(product.table, "front-door")
    row = product.table.get_item(Key=session_key(session.id))["Item"]
    return int(row["counts"].get("records", 0))
