"""EMF lines that a function prints become metrics of CloudWatch, and alarms look at them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.patches.metrics import read_emf
from local.tests.support.laptop.parts import allow, invoke, make_function, unique

DIRECTIVE = {
    "Namespace": "Doors",
    "Dimensions": [["service"], []],
    "Metrics": [{"Name": "Knocks", "Unit": "Count"}, {"Name": "Loudness"}],
}
DOCUMENT = {
    "_aws": {"Timestamp": 1_800_000_000_000, "CloudWatchMetrics": [DIRECTIVE]},
    "service": "front",
    "Knocks": [1, 2.0],
    "Loudness": 7,
}
PRINTING = """
import json, time
def handler(event, context):
    event["_aws"]["Timestamp"] = time.time_ns() // 1_000_000
    print("no metric")
    print(json.dumps(event))
    raise ValueError("after the metric")
"""


def test_a_document_is_a_metric_for_each_name_and_set_of_dimensions():
    at_s, service = 1_800_000_000, {"service": "front"}
    assert read_emf(json.dumps(DOCUMENT)) == [
        ("Doors", "Knocks", service, at_s, "Count", [1, 2]),
        ("Doors", "Knocks", {}, at_s, "Count", [1, 2]),
        ("Doors", "Loudness", service, at_s, "None", [7]),
        ("Doors", "Loudness", {}, at_s, "None", [7]),
    ]


@pytest.mark.parametrize(
    "changed",
    [{"_aws": 1}, {"_aws": {"Timestamp": 1}}, {"Loudness": "loud"}, {"Knocks": None}],
)
def test_what_is_no_document_is_no_metric(changed):
    assert read_emf(json.dumps(DOCUMENT | changed)) == []
    assert read_emf('{"_aws": ') == []


def test_a_metric_of_a_function_that_fails_reaches_an_alarms_topic(laptop, wait_until):
    cloudwatch, sns, sqs = (laptop.client(name) for name in ("cloudwatch", "sns", "sqs"))
    name, namespace = unique("alarm"), unique("Doors")
    topic = sns.create_topic(Name=name)["TopicArn"]
    inbox = sqs.create_queue(QueueName=name)["QueueUrl"]
    wanted = ["QueueArn"]
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=wanted)["Attributes"]["QueueArn"]
    sender = {"Service": "sns.amazonaws.com"}
    statement = allow("sqs:SendMessage", arn, Principal=sender)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="Knocks",
        Dimensions=[{"Name": "service", "Value": "front"}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=2.5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    document = json.loads(json.dumps(DOCUMENT))
    document["_aws"]["CloudWatchMetrics"][0] |= {
        "Namespace": namespace,
        "Dimensions": [["service"]],
    }
    error, _ = invoke(laptop, make_function(laptop, PRINTING), document)
    assert error == "Unhandled"
    (told,) = wait_until(lambda: sqs.receive_message(QueueUrl=inbox).get("Messages"), 20)
    assert name in told["Body"]
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName="Knocks",
        Dimensions=[{"Name": "service", "Value": "front"}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert sum(one["Sum"] for one in found) == 3
    assert sum(one["SampleCount"] for one in found) == 2
